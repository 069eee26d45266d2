import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, type KeyedCertificate } from '@shoto/pki';
import { systemClock } from '@shoto/service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckInCertificate } from '../src/check-in/certificate.ts';
import { RateLimit } from '../src/check-in/rate-limit.ts';
import { type CheckInServer, startCheckInServer } from '../src/check-in/server.ts';
import { issueTicket } from '../src/check-in/ticket.ts';
import { MACHINES, uidOf } from '../src/world.ts';
import { aCluster, aMachine, aRegion, aRelease } from './builders.ts';
import { scenario } from './scenario.ts';

const AGENT = new URL('../agent/shoto-machine.py', import.meta.url).pathname;
const BINARY = Buffer.from('#!/bin/sh\necho a program of the release\n'.repeat(2000));
const SHA = createHash('sha256').update(BINARY).digest('hex');

let root: string;
let bin: string;
let metadata: Server;
let artifacts: Server;
let server: CheckInServer;
let s: Awaited<ReturnType<typeof scenario>>;
const ranges: (string | undefined)[] = [];
const cluster = aCluster();
const machine = aMachine(cluster, { server: { addresses: ['127.0.0.1'] } });

const listen = async (handler: Parameters<typeof createServer>[1]): Promise<Server> => {
  const made = createServer(handler ?? (() => {}));
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return made;
};
const urlOf = (x: Server): string => `http://127.0.0.1:${(x.address() as AddressInfo).port}`;

/** A kubeadm that does as these lines of shell say; `$1` is init, join, reset or version. */
async function kubeadm(script: string): Promise<void> {
  await writeFile(
    join(bin, 'kubeadm'),
    `#!/bin/sh\n[ "$1" = version ] && echo v1.35.4 && exit\necho "kubeadm $*" >>${root}/calls\n${script}\n`,
  );
  await chmod(join(bin, 'kubeadm'), 0o755);
}
const calls = async (): Promise<string[]> =>
  (await readFile(join(root, 'calls'), 'utf8').catch(() => ''))
    .trim()
    .split('\n')
    .map((l) => l.split(' ')[1] ?? '')
    .filter((verb) => verb !== 'config'); // a question, which changes nothing

/** One attempt of the machine's program. @returns its exit code and what it said */
async function attempt(...more: string[]): Promise<{ code: number; out: string }> {
  try {
    const { stdout } = await promisify(execFile)(
      'python3',
      [AGENT, '--once', '--root', root, '--metadata', urlOf(metadata), ...more],
      {
        env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
      },
    );
    return { code: 0, out: stdout };
  } catch (e) {
    const failed = e as { code: number; stdout: string; stderr: string };
    return { code: failed.code, out: failed.stdout + failed.stderr };
  }
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'shoto-machine-'));
  bin = join(root, 'bin');
  await mkdir(bin);
  ranges.length = 0;
  artifacts = await listen((req, res) => {
    ranges.push(req.headers.range);
    const from = Number(/bytes=(\d+)-/.exec(req.headers.range ?? '')?.[1] ?? 0);
    if (from >= BINARY.length) return void res.writeHead(416).end();
    res.writeHead(from ? 206 : 200, { 'content-length': BINARY.length - from }).end(BINARY.subarray(from));
  });
  metadata = await listen((req, res) => {
    const said: Record<string, string> = {
      '/openstack/latest/meta_data.json': JSON.stringify({ uuid: 'server-of-web-cp-1', name: 'web-cp-1' }),
      '/openstack/latest/network_data.json': JSON.stringify({ networks: [{ type: 'ipv4_dhcp' }] }),
    };
    const body = said[req.url ?? ''];
    res.writeHead(body ? 200 : 404).end(body);
  });
  const release = aRelease({
    artifacts: [
      { name: 'crictl', url: `${urlOf(artifacts)}/crictl`, sha256: SHA, path: '/usr/bin/crictl', mode: '0755' },
    ],
  });
  s = await scenario({ clusters: [cluster], machines: [machine], release });
  const ca: KeyedCertificate = await createAuthority('Shoto check-in');
  server = await startCheckInServer({
    host: '127.0.0.1',
    port: 0,
    certificate: (await new CheckInCertificate(ca, systemClock).next([aRegion()])) as KeyedCertificate,
    checkIns: s.checkIns,
    wakeups: s.wakeups,
    rateLimit: new RateLimit({ perSecond: 100, burst: 100, now: s.clock.now }),
    metrics: s.metrics,
    log: s.log,
  });
  await mkdir(join(root, 'etc/shoto'), { recursive: true });
  await writeFile(
    join(root, 'etc/shoto/check-in.json'),
    JSON.stringify({
      version: 1,
      url: server.url,
      caCertificate: ca.certificate,
      ticket: issueTicket(s.ticketKey, uidOf(machine), machine.spec.cluster.uid),
    }),
  );
});
afterEach(async () => {
  await server.close();
  for (const x of [metadata, artifacts]) {
    x.closeAllConnections();
    x.close();
  }
  await rm(root, { recursive: true, force: true });
});
const bootstrap = () => s.machineNow(machine).status?.bootstrap;
const modeOf = async (path: string): Promise<string> => ((await stat(join(root, path))).mode & 0o777).toString(8);

describe("the machine's program", () => {
  it('checks in, fetches what its image lacks, writes its files with their modes, runs kubeadm and reports it', async () => {
    await kubeadm('echo "[init] Using Kubernetes version"');
    const { code, out } = await attempt();
    expect({ code, out }).toMatchObject({ code: 0 });

    expect(await calls()).toEqual(['init']);
    expect(bootstrap()?.joinedAt).toBeDefined();
    expect(await readFile(join(root, 'etc/kubernetes/pki/ca.crt'), 'utf8')).toContain('BEGIN CERTIFICATE');
    expect(await modeOf('etc/kubernetes/pki/ca.key')).toBe('600');
    expect(await modeOf('etc/kubernetes/pki/ca.crt')).toBe('644');
    expect(await modeOf('var/lib/shoto/machine.key')).toBe('600');
    expect(await modeOf('usr/bin/crictl')).toBe('755');
    expect(await readFile(join(root, 'var/log/shoto/kubeadm-init.log'), 'utf8')).toContain(
      '[init] Using Kubernetes version',
    );
    // What held a token is gone once it is not needed any more.
    await expect(stat(join(root, 'etc/shoto/kubeadm.yaml'))).rejects.toThrow('ENOENT');
    expect((await attempt()).code).toBe(0); // nothing is asked again
    expect(await calls()).toEqual(['init']);
  });

  it('tells which images kubeadm gives its own addons, where it knows', async () => {
    const list =
      'echo registry.k8s.io/kube-apiserver:v1.35.4; echo registry.k8s.io/kube-proxy:v1.35.4; echo registry.k8s.io/coredns/coredns:v1.13.1';
    await kubeadm(`[ "$1" = config ] && { ${list}; exit; }\nexit 0`);
    expect((await attempt()).code).toBe(0);
    expect((await readFile(join(root, 'calls'), 'utf8')).trim().split('\n').at(-1)).toBe(
      'kubeadm config images list --kubernetes-version v1.35.4 --image-repository registry.k8s.io',
    );
    expect(s.clusterNow(cluster).status?.controlPlane.images).toEqual([
      {
        release: 'v1.35.4',
        coreDNS: 'registry.k8s.io/coredns/coredns:v1.13.1',
        kubeProxy: 'registry.k8s.io/kube-proxy:v1.35.4',
      },
    ]);
  });

  it('joins all the same where kubeadm does not tell its images', async () => {
    await kubeadm('[ "$1" = config ] && exit 1\nexit 0');
    expect((await attempt()).code).toBe(0);
    expect(bootstrap()?.joinedAt).toBeDefined();
    expect(s.clusterNow(cluster).status?.controlPlane.images).toBeUndefined();
  });

  it('tells the last lines when a step fails, cleans up and does it again with the same key', async () => {
    await kubeadm(
      '[ "$1" = init ] && [ ! -e "$0.failed" ] && touch "$0.failed" && echo "[ERROR Port-6443]: Port 6443 is in use; token abcdef.0123456789abcdef" && exit 1\nexit 0',
    );
    expect((await attempt()).code).toBe(1);
    expect(bootstrap()?.conditions).toContainEqual(expect.objectContaining({ type: 'Joined', reason: 'StepFailed' }));
    expect(s.events).toEqual([
      expect.objectContaining({ reason: 'StepFailed', message: expect.stringContaining('Port 6443 is in use') }),
    ]);
    expect(s.events[0]?.message).not.toContain('0123456789abcdef');

    expect((await attempt()).code).toBe(0);
    expect(await calls()).toEqual(['init', 'reset', 'init']);
    expect(bootstrap()?.conditions).toContainEqual(expect.objectContaining({ type: 'Joined', status: 'True' }));
  });

  it('goes on after a reboot in the middle of a step, with the key that its ticket is bound to', async () => {
    await kubeadm('[ "$1" = init ] && [ ! -e "$0.began" ] && touch "$0.began" && kill -9 $PPID\nexit 0');
    const cut = spawn('python3', [AGENT, '--root', root, '--metadata', urlOf(metadata)], {
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
    await new Promise((resolve) => cut.on('exit', resolve));
    const { keyHash } = bootstrap() ?? {};
    expect(keyHash).toBeDefined();
    expect(bootstrap()?.joinedAt).toBeUndefined();

    expect((await attempt()).code).toBe(0);
    expect(await calls()).toEqual(['init', 'reset', 'init']);
    expect(bootstrap()).toMatchObject({ keyHash, joinedAt: expect.any(String) });
  });

  it('does not run kubeadm twice when only the report was lost', async () => {
    await kubeadm('exit 0');
    // The service goes away for the time of the last report.
    s.kube.watch(MACHINES, () => {
      s.kube.beforePatch = () => {
        s.kube.beforePatch = undefined;
        throw new Error('cannot be written now');
      };
    });
    const first = await attempt();
    expect(first.code).not.toBe(0);
    s.kube.beforePatch = undefined;
    expect((await attempt()).code).toBe(0);
    expect(await calls()).toEqual(['init']);
  });

  it('goes on with a download where it was cut off', async () => {
    await kubeadm('exit 0');
    await mkdir(join(root, 'var/lib/shoto/downloads'), { recursive: true });
    await writeFile(join(root, 'var/lib/shoto/downloads', SHA), BINARY.subarray(0, 1000));
    expect((await attempt()).code).toBe(0);
    expect(ranges).toEqual(['bytes=1000-']);
    expect(
      createHash('sha256')
        .update(await readFile(join(root, 'usr/bin/crictl')))
        .digest('hex'),
    ).toBe(SHA);
  });

  it('puts nothing in place whose digest is another, and says so', async () => {
    await kubeadm('exit 0');
    BINARY[0] = '!'.charCodeAt(0);
    const found = createHash('sha256').update(BINARY).digest('hex');
    try {
      expect((await attempt()).code).toBe(1);
    } finally {
      BINARY[0] = '#'.charCodeAt(0);
    }
    await expect(stat(join(root, 'usr/bin/crictl'))).rejects.toThrow('ENOENT');
    expect(s.events[0]?.message).toContain(`crictl: it is sha256:${found}, the release says sha256:${SHA}`);
    expect(await calls()).toEqual(['']);
  });

  it('says that it was refused, and leaves nothing', async () => {
    await kubeadm('exit 0');
    s.kube.put(
      MACHINES,
      aMachine(cluster, {
        metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
        server: { addresses: ['127.0.0.1'] },
      }),
    );
    const { code, out } = await attempt();
    expect(code).toBe(2);
    expect(out).toContain('MachineDeleted');
    await expect(stat(join(root, 'etc/kubernetes'))).rejects.toThrow('ENOENT');
  });

  it('trusts no server but the one that its CA vouches for', async () => {
    await kubeadm('exit 0');
    const file = join(root, 'etc/shoto/check-in.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    config.caCertificate = (await createAuthority('somebody else')).certificate;
    await writeFile(file, JSON.stringify(config));
    const { code, out } = await attempt();
    expect(code).toBe(1);
    expect(out).toContain('CERTIFICATE_VERIFY_FAILED');
    expect(bootstrap()?.keyHash).toBeUndefined();
  });
});
