import { EVENTS, type HasMeta } from '@shoto/kube';
import { until } from '../poll.ts';
import { type ClusterScene, expectThat, inside, machinesOf } from './scene.ts';
import { READ_USER_DATA } from './user-data.ts';

/** Checks in with the machine's own ticket and a key that was made just now; prints the status and the answer. */
const CHECK_IN_AGAIN = `
import http.client, json, ssl, subprocess, tempfile, urllib.parse, urllib.request
config = json.load(open("/etc/shoto/check-in.json"))
meta = json.load(urllib.request.urlopen("http://169.254.169.254/openstack/latest/meta_data.json", timeout=10))
address = urllib.request.urlopen("http://169.254.169.254/latest/meta-data/local-ipv4", timeout=10).read().decode()
d = tempfile.mkdtemp()
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                "-subj", "/CN=thief", "-keyout", d + "/key", "-out", d + "/crt"], check=True, capture_output=True)
context = ssl.create_default_context(cadata=config["caCertificate"])
context.load_cert_chain(d + "/crt", d + "/key")
url = urllib.parse.urlsplit(config["url"])
c = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=30)
c.request("POST", "/v1/check-in", json.dumps({"ticket": config["ticket"], "has": {},
          "instance": {"id": meta["uuid"], "addresses": [address], "hostname": "thief"}}), {"content-type": "application/json"})
r = c.getresponse()
print(json.dumps({"status": r.status, "body": json.loads(r.read())}))
`;

/** The ticket of a machine that has joined is worth nothing to anybody else, and ordinary users and pods cannot even read it. */
export async function ticketsAreSafe(scene: ClusterScene): Promise<void> {
  const { lab, say } = scene;
  if (!lab) return say('tickets are tried from inside only in the lab');
  const machine = (await machinesOf(scene)).find((m) => m.spec.role === 'worker');
  expectThat(machine !== undefined, 'the cluster has no worker');
  const { name } = machine.metadata;

  for (const [who, command] of [
    ['its metadata', ['runuser', '-u', 'nobody', '--', 'python3', '-c', READ_USER_DATA]],
    ['the file', ['runuser', '-u', 'nobody', '--', 'cat', '/etc/shoto/check-in.json']],
  ] as const) {
    const { exitCode, stdout, stderr } = await inside(lab, machine, [...command]);
    expectThat(exitCode !== 0 && stdout === '', `${name}: an ordinary user reads ${who}: ${stdout.slice(0, 80)}`);
    say(`${name}: an ordinary user who wants ${who}: ${stderr.trim().split('\n').at(-1)}`);
  }
  const fromPod = (url: string) =>
    scene.kubectl(['exec', 'client', '--', 'sh', '-c', `timeout 5 wget -q -O - ${url}; echo "exit $?"`]);
  const heard = await fromPod('http://server.default.svc.cluster.local/');
  expectThat(/hello from .*\nexit 0/.test(heard), `a pod that asks its Service hears ${heard}`);
  const guarded = (await fromPod('http://169.254.169.254/openstack/latest/user_data')).trim();
  expectThat(
    /^exit (124|143)$/.test(guarded),
    `a pod that asks for the user-data is not left without an answer: ${guarded}`,
  );
  say('a pod that wants it gets no answer in 5 s');

  const again = await inside(lab, machine, ['python3', '-c', CHECK_IN_AGAIN]);
  expectThat(again.exitCode === 0, `${name}: could not ask again: ${again.stderr}`);
  const { status, body } = JSON.parse(again.stdout) as { status: number; body: { reason: string; detail: string } };
  expectThat(status === 403 && body.reason === 'TicketUsed', `${name}: another key was answered ${again.stdout}`);
  const event = await until(`an event on ${name}`, async () =>
    (
      await scene.world.management.listAll<HasMeta & { reason: string; regarding: { name: string }; note?: string }>(
        EVENTS,
        {},
      )
    ).find((e) => e.reason === 'TicketUsed' && e.regarding.name === name),
  );
  const misused = await until(`the condition on ${name}`, async () =>
    (await machinesOf(scene))
      .find((m) => m.metadata.name === name)
      ?.status?.bootstrap.conditions?.find((c) => c.type === 'TicketMisused' && c.status === 'True'),
  );
  say(`${name}: its ticket with another key: ${status} ${body.reason}: ${body.detail}`);
  say(`          event ${event.reason}, condition ${misused.type}=${misused.status} ${misused.reason}`);
}
