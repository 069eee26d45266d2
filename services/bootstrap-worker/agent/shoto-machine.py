#!/usr/bin/env python3
"""The machine's own part of joining a Kubernetes cluster of Shoto.

It reads /etc/shoto/check-in.json (where to ask, whom to trust, a one-time ticket), makes a key that never leaves this
machine, asks what to do over TLS, writes the files and runs the steps that it is given, and reports each of them.
It needs python3 and openssl, nothing else. It may be cut short at any point (reboot, crash) and started again.

  shoto-machine            do it, trying again until the machine has joined
  shoto-machine --enable   start it as the systemd unit shoto-machine.service (or here, where there is no systemd)
  shoto-machine --once     one attempt; exit 0 joined, 1 failed, 2 refused, 3 told to wait
Tests: --root DIR (all paths below DIR), --metadata URL.
"""
import argparse, base64, hashlib, http.client, json, os, random, re, shutil, socket, ssl, subprocess, sys, time
import urllib.error, urllib.parse, urllib.request
from datetime import datetime, timezone

CONFIG = "/etc/shoto/check-in.json"
STATE_DIR = "/var/lib/shoto"
LOG_DIR = "/var/log/shoto"
UNIT = "shoto-machine.service"
LOG_LINES, LOG_BYTES = 40, 4000

args = None  # the command line, set by main()


class Refused(Exception):
    """The server says no, and will say so again: 403."""


class Waiting(Exception):
    """Told to ask again later."""

    def __init__(self, message, seconds):
        super().__init__(message)
        self.seconds = seconds


class StepFailed(Exception):
    """A command ended with an error, or a download did."""


def say(*words):
    print("shoto-machine:", *words, flush=True)


def at(path):
    """The path, below --root."""
    return args.root.rstrip("/") + path


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def write_file(path, data, mode):
    """Writes a file whole or not at all, with its mode from the first byte on."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    part = path + ".shoto-new"
    try:
        os.unlink(part)  # of an attempt that was cut short; its mode might be another
    except FileNotFoundError:
        pass
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as f:
        os.fchmod(f.fileno(), mode)  # whatever the umask is
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(part, path)


def load_state():
    """What this machine has done so far: {"started": bool, "done": [step, ...]}."""
    try:
        with open(at(STATE_DIR + "/state.json")) as f:
            return json.load(f)
    except (FileNotFoundError, ValueError):
        return {"started": False, "done": []}


def save_state(state):
    write_file(at(STATE_DIR + "/state.json"), json.dumps(state).encode(), 0o600)


# ---------------------------------------------------------------- who we are

def ensure_key():
    """The machine's key and a certificate that carries it. Nobody vouches for the certificate; the key is what counts."""
    key, cert = at(STATE_DIR + "/machine.key"), at(STATE_DIR + "/machine.crt")
    if os.path.exists(key) and os.path.exists(cert):
        return key, cert
    os.makedirs(at(STATE_DIR), mode=0o700, exist_ok=True)
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                          check=True, capture_output=True).stdout
    write_file(key, made, 0o600)
    crt = subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-sha256", "-days", "3650",
                          "-subj", "/CN=shoto-machine"], check=True, capture_output=True).stdout
    write_file(cert, crt, 0o600)
    return key, cert


def instance(host, port):
    """What the cloud says that we are, and the addresses that we have."""
    with urllib.request.urlopen(args.metadata + "/openstack/latest/meta_data.json", timeout=10) as r:
        meta = json.load(r)
    addresses = []
    try:
        with urllib.request.urlopen(args.metadata + "/openstack/latest/network_data.json", timeout=10) as r:
            addresses += [n["ip_address"] for n in json.load(r).get("networks", []) if n.get("ip_address")]
    except (OSError, ValueError):
        pass  # with DHCP it names no addresses anyway
    try:
        with urllib.request.urlopen(args.metadata + "/latest/meta-data/local-ipv4", timeout=10) as r:
            addresses.append(r.read().decode().strip())
    except (OSError, ValueError):
        pass
    for family in (socket.AF_INET, socket.AF_INET6):
        try:  # which of our addresses would be used to reach the server; nothing is sent
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.connect((host, port))
                addresses.append(s.getsockname()[0])
        except OSError:
            pass
    return {"id": meta["uuid"], "addresses": list(dict.fromkeys(a for a in addresses if a))[:32],
            "hostname": socket.gethostname()[:255]}


def version_of(command):
    """The version that a program tells, or None where it is absent."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v\d+\.\d+\.\d+[\w.+-]*", out)
    return found.group(0) if found else None


def has():
    return {"kubeadm": version_of(["kubeadm", "version", "-o", "short"]),
            "kubelet": version_of(["kubelet", "--version"]),
            "containerd": version_of(["containerd", "--version"])}


# ---------------------------------------------------------------- the server

class Server:
    """The check-in server: TLS, its certificate checked against the CA of check-in.json, our key shown in the handshake."""

    def __init__(self, config, key, cert):
        url = urllib.parse.urlsplit(config["url"])
        self.host, self.port = url.hostname, url.port or 443
        self.tls = ssl.create_default_context(cadata=config["caCertificate"])
        self.tls.load_cert_chain(cert, key)
        self.connection = None

    def post(self, path, body):
        """One request. Raises Refused, Waiting (the server asked for it) or OSError."""
        for attempt in (1, 2):
            reused = self.connection is not None
            if not reused:
                self.connection = http.client.HTTPSConnection(self.host, self.port, timeout=60, context=self.tls)
            try:
                self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (http.client.HTTPException, OSError) as e:
                self.close()
                # A kept connection may have been closed meanwhile; every request of ours may be repeated.
                if not reused or attempt == 2:
                    raise OSError("%s:%d: %s" % (self.host, self.port, e)) from e
        if answer.status in (200, 204):
            return json.loads(data) if data else None
        try:
            problem = json.loads(data)
        except ValueError:
            problem = {}
        text = "%d %s %s" % (answer.status, problem.get("reason", ""), problem.get("detail", ""))
        if answer.status == 403:
            raise Refused(text)
        raise Waiting(text, float(answer.headers.get("Retry-After") or 5))

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def report(self, step, state, started, finished=None, log=None, must=False, **more):
        """Tells how a step stands. Lost reports do not stop the work, unless `must`."""
        body = {"step": step, "state": state, "startedAt": started}
        if finished:
            body["finishedAt"] = finished
        if log:
            body["log"] = log
        body.update(more)
        try:
            self.post("/v1/steps", body)
        except (Refused, Waiting, OSError) as e:
            if must:
                raise
            say("report of", step, "not taken:", e)


# ---------------------------------------------------------------- the work

SECRETS = [
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),                                   # colours, which kubeadm writes into files too
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.S), "[redacted]"),
    (re.compile(r"eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?"), "[redacted]"),               # JSON web tokens
    (re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"), "[redacted]"),                 # bootstrap tokens
    (re.compile(r"(?<!sha256:)\b[0-9a-f]{64}\b"), "[redacted]"),                  # certificate keys
    (re.compile(r"(?i)(bearer|token|password|secret)([\"']?\s*[:=]\s*[\"']?)[^\s\"',]{8,}"), r"\1\2[redacted]"),
    (re.compile(r"[A-Za-z0-9+/_-]{80,}={0,2}"), "[redacted]"),                    # keys and tickets
]


def last_lines(path):
    """The end of a log, without anything that looks like a secret."""
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 64 * 1024))
            text = f.read().decode("utf-8", "replace")
    except OSError:
        return ""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return "\n".join(text.rstrip().split("\n")[-LOG_LINES:])[-LOG_BYTES:]


def run_command(name, command, seconds):
    """Runs a command with its output in a log. Raises StepFailed."""
    log = at("%s/%s.log" % (LOG_DIR, name))
    os.makedirs(os.path.dirname(log), mode=0o750, exist_ok=True)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
        out.write(("\n--- %s %s\n" % (now(), " ".join(command))).encode())
        out.flush()
        try:
            code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            out.write(b"\nstopped: it took longer than %d seconds\n" % seconds)
            raise StepFailed("%s took longer than %d seconds" % (name, seconds))
        except OSError as e:
            out.write(("\n%s\n" % e).encode())
            raise StepFailed("%s cannot be run: %s" % (name, e))
    if code != 0:
        raise StepFailed("%s ended with %d" % (name, code))


def digest(path):
    h = hashlib.sha256()
    try:
        with open(path, "rb") as f:
            for block in iter(lambda: f.read(1 << 20), b""):
                h.update(block)
    except FileNotFoundError:
        return None
    return h.hexdigest()


def fetch(artifact):
    """Downloads a file unless it is there, going on where an earlier attempt ended, and checks its digest before it is put in place."""
    name, wanted, path = artifact["name"], artifact["sha256"], at(artifact["path"])
    if digest(path) == wanted:
        return
    part = at("%s/downloads/%s" % (STATE_DIR, wanted))
    os.makedirs(os.path.dirname(part), mode=0o700, exist_ok=True)
    for attempt in range(5):
        begun = os.path.getsize(part) if os.path.exists(part) else 0
        request = urllib.request.Request(artifact["url"], headers={"Range": "bytes=%d-" % begun} if begun else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as r:
                with open(part, "ab" if r.status == 206 else "wb") as f:
                    shutil.copyfileobj(r, f, 1 << 20)
        except urllib.error.HTTPError as e:
            if e.code != 416:  # 416: all of it is here already
                error = e
                if e.code in (403, 404, 410):
                    break
                time.sleep(min(2 ** attempt, 10))
                continue
        except (OSError, http.client.HTTPException) as e:
            error = e
            time.sleep(min(2 ** attempt, 10))
            continue
        found = digest(part)
        if found == wanted:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copyfile(part, path + ".shoto-new")
            os.chmod(path + ".shoto-new", int(artifact.get("mode", "0755"), 8))
            os.replace(path + ".shoto-new", path)
            os.unlink(part)
            return
        os.unlink(part)
        # (With the prefix: without it 64 hexadecimal digits look like a certificate key, and are taken out of reports.)
        error = "it is sha256:%s, the release says sha256:%s" % (found, wanted)
    raise StepFailed("%s from %s: %s" % (name, artifact["url"], error))


def reported(server, name, work):
    """Does one step and tells how it went."""
    started = now()
    say(name)
    server.report(name, "running", started)
    try:
        work()
    except StepFailed as e:
        log = last_lines(at("%s/%s.log" % (LOG_DIR, name))) or str(e)
        server.report(name, "failed", started, now(), log)
        raise
    server.report(name, "done", started, now())


def addon_images(plan):
    """The images of kubeadm's own addons in this release, for the upgrade of those that run. Only kubeadm knows; not knowing stops nothing."""
    if plan.get("role") != "control-plane" or not plan.get("imageRepository"):
        return None
    command = ["kubeadm", "config", "images", "list", "--kubernetes-version", plan["kubernetesVersion"],
               "--image-repository", plan["imageRepository"]]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError) as e:
        say("images of the addons are not known:", e)
        return None
    def named(name):
        return next((i for i in lines if re.search(r"/%s[:@]" % name, i)), None)
    images = {"coreDNS": named("coredns"), "kubeProxy": named("kube-proxy")}
    return images if all(images.values()) else None


def install(server, plan):
    state = load_state()
    names = [s["name"] for s in plan["steps"]]
    unfinished = [n for n in names if n not in state["done"]]
    if unfinished and state["started"] and plan.get("cleanup"):
        # An earlier attempt was cut short or failed. What it left would fail kubeadm's checks. (Before the files: it removes some.)
        cleanup = plan["cleanup"]
        try:
            run_command(cleanup["name"], cleanup["command"], cleanup["timeoutSeconds"])
        except StepFailed as e:
            say("cleanup:", e, "(going on)")
    if unfinished:
        if plan.get("artifacts"):
            reported(server, "download", lambda: [fetch(a) for a in plan["artifacts"]])
        for f in plan["files"]:
            write_file(at(f["path"]), base64.b64decode(f["content"]), int(f["mode"], 8))
        state["started"] = True
        save_state(state)
    for step in plan["steps"]:
        if step["name"] in state["done"]:
            continue
        reported(server, step["name"], lambda: run_command(step["name"], step["command"], step["timeoutSeconds"]))
        state["done"].append(step["name"])
        save_state(state)
    images = addon_images(plan)
    moment = now()
    server.report("joined", "done", moment, moment, must=True, **({"images": images} if images else {}))
    for f in plan["files"]:
        if f.get("temporary") and os.path.exists(at(f["path"])):
            os.unlink(at(f["path"]))


def finish():
    """The machine has joined: never ask again."""
    write_file(at(STATE_DIR + "/joined"), (now() + "\n").encode(), 0o600)
    shutil.rmtree(at(STATE_DIR + "/downloads"), ignore_errors=True)
    if args.root == "" and os.path.isdir("/run/systemd/system"):
        subprocess.run(["systemctl", "disable", UNIT], capture_output=True)
    say("joined")


def attempt():
    """One way through. Raises what stopped it."""
    with open(at(CONFIG)) as f:
        config = json.load(f)
    server = Server(config, *ensure_key())
    try:
        me = instance(server.host, server.port)
        say("asking", config["url"], "as", me["id"])
        answer = server.post("/v1/check-in", {"ticket": config["ticket"], "instance": me, "has": has()})
        if answer["action"] == "wait":
            raise Waiting("%s: %s" % (answer.get("reason"), answer.get("message")), answer.get("retryAfterMs", 1000) / 1000)
        if answer["action"] == "install":
            install(server, answer)
        elif answer["action"] != "done":
            raise Waiting("the server says %r, which this program does not know" % answer["action"], 60)
        finish()
    finally:
        server.close()


def enable():
    """Leaves the work to systemd, which starts it again after a reboot. Where there is no systemd it is done here."""
    if args.root == "" and os.path.isdir("/run/systemd/system"):
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "enable", "--now", "--no-block", UNIT], check=True)
        return 0
    return work()


def work():
    failures = 0
    while not os.path.exists(at(STATE_DIR + "/joined")):
        try:
            attempt()
            return 0
        except Waiting as e:
            say("waiting:", e)
            code, pause = 3, e.seconds
            failures = 0
        except Refused as e:
            say("refused:", e)
            failures += 1
            code, pause = 2, min(5 * 2 ** min(failures, 6), 120)  # a refusal may be a server that is late to know us
        except (StepFailed, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            say("failed:", e)
            failures += 1
            code, pause = 1, min(2 * 2 ** min(failures, 8), 300)
        if args.once:
            return code
        time.sleep(pause * random.uniform(0.8, 1.2))
    return 0


def main():
    global args
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--enable", action="store_true")
    p.add_argument("--once", action="store_true")
    p.add_argument("--root", default="")
    p.add_argument("--metadata", default="http://169.254.169.254")
    args = p.parse_args()
    os.umask(0o022)  # secret files are given their mode one by one
    return enable() if args.enable else work()


if __name__ == "__main__":
    sys.exit(main())
