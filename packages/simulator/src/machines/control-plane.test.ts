import { afterEach, describe, expect, it } from 'vitest';
import { SimulatorClock } from '../core/clock.ts';
import { call, conditionOf, Lab, until } from './testing/lab.ts';

let lab: Lab;
afterEach(() => lab.close());

const joined = (name: string) =>
  until(`${name} to join`, () => lab.worker.reports.find((r) => r.machine === name && r.step === 'joined'));
const addresses = ['10.0.0.11', '10.0.0.12', '10.0.0.13'];
const image = (kubernetes: string) => ({
  image: { id: kubernetes, name: 'node', properties: { kubernetes_version: kubernetes, containerd_version: '2.1.4' } },
});

/** A cluster with control planes cp-1 to cp-N behind a load balancer. */
async function controlPlanes(n: number): Promise<SimulatorClock> {
  const clock = new SimulatorClock({ mode: 'manual' });
  lab = await Lab.start(clock);
  lab.bootControlPlane();
  await joined('cp-1');
  for (let i = 2; i <= n; i++) {
    lab.bootNode(`cp-${i}`, `10.0.0.1${i}`, { role: 'control-plane' });
    await joined(`cp-${i}`);
  }
  lab.balance(...addresses);
  await until('the API', () => lab.api('GET', '/healthz'));
  await until('etcd to run in its pods', async () => {
    const pods = await lab.list('/api/v1/namespaces/kube-system/pods?labelSelector=component=etcd');
    const up = [...pods.values()].filter((p) => conditionOf(p, 'Ready') === 'True');
    return up.length === n ? true : undefined;
  });
  return clock;
}

interface Listed {
  header: { cluster_id: string };
  members: { ID: string; name: string; peerURLs: string[]; clientURLs: string[] | null }[];
}
const members = async (node = 'cp-1', asked = [addresses[0]!]): Promise<Listed['members']> => {
  const { stdout, stderr } = await lab.etcdctl(node, asked, 'member', 'list', '--hex');
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as Listed).members;
};
/** Moves time on, so that what was started sees it, until a promise is settled. */
async function meanwhile<T>(clock: SimulatorClock, work: Promise<T>, stepMs = 1000): Promise<T> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  ended.catch(() => undefined);
  while (!over) {
    await clock.advance(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return ended;
}

describe('etcd of a cluster', () => {
  it('has a voting member for each control plane, which etcdctl tells in its own pod', async () => {
    await controlPlanes(3);
    const found = await members();
    expect(found.map((m) => m.name).sort()).toEqual(['cp-1', 'cp-2', 'cp-3']);
    expect(found.find((m) => m.name === 'cp-2')).toMatchObject({
      peerURLs: ['https://10.0.0.12:2380'],
      clientURLs: ['https://10.0.0.12:2379'],
      // Hexadecimal without leading zeros, as etcdctl prints it.
      ID: expect.stringMatching(/^[1-9a-f][0-9a-f]{0,15}$/),
    });
    const { stdout } = await lab.etcdctl('cp-2', addresses, 'endpoint', 'health');
    expect((JSON.parse(stdout) as { health: boolean }[]).map((h) => h.health)).toEqual([true, true, true]);
  });

  it('keeps a member whose Node was deleted and whose machine is gone', async () => {
    await controlPlanes(3);
    await lab.api('DELETE', '/api/v1/nodes/cp-3');
    lab.machines.destroy('id-of-cp-3');
    expect((await members()).map((m) => m.name).sort()).toEqual(['cp-1', 'cp-2', 'cp-3']);
  });

  it('moves its leader and lets a member go, whose API server then answers no more', async () => {
    await controlPlanes(3);
    const going = (await members()).find((m) => m.name === 'cp-1')!;
    const heir = (await members()).find((m) => m.name === 'cp-2')!;
    expect((await lab.etcdctl('cp-2', addresses, 'move-leader', heir.ID)).exitCode).toBe(0);
    expect((await lab.etcdctl('cp-2', addresses.slice(1), 'member', 'remove', going.ID)).exitCode).toBe(0);
    expect((await members('cp-2', addresses.slice(1))).map((m) => m.name).sort()).toEqual(['cp-2', 'cp-3']);
    lab.balance(addresses[0]!);
    await until('refused connections', () =>
      lab.api('GET', '/version').then(
        () => undefined,
        () => true,
      ),
    );
  });

  it('lets the API answer as long as it has a quorum, and then only that it waits in vain', async () => {
    const clock = await controlPlanes(3);
    lab.machines.powerOff('id-of-cp-1', 'hard');
    expect((await until('the API', () => lab.api('GET', '/api/v1/nodes'))).status).toBe(200);
    lab.machines.powerOff('id-of-cp-2', 'hard');
    const asked = await meanwhile(
      clock,
      until('an answer', () => lab.api('GET', '/api/v1/namespaces/default')),
    );
    expect(asked).toMatchObject({ status: 500, body: { message: 'etcdserver: request timed out' } });
    expect((await lab.api('GET', '/readyz')).status).toBe(500);
    expect((await lab.api('GET', '/version')).status).toBe(200);
    lab.machines.powerOn(lab.server('cp-2', addresses[1]!));
    await until('the API', async () => ((await lab.api('GET', '/readyz')).status === 200 ? true : undefined));
  });
});

describe('kubeadm join of a control plane', () => {
  const consoleOf = (name: string): string => lab.machines.consoleLog(`id-of-${name}`).join('\n');
  const checking = (name: string) =>
    until('kubeadm to check etcd', () => (consoleOf(name).includes('[check-etcd]') ? true : undefined));

  it('stands in check-etcd while a member is dead, and goes on when it was taken out', async () => {
    const clock = await controlPlanes(3);
    lab.machines.destroy('id-of-cp-3');
    lab.bootNode('cp-4', '10.0.0.14', { role: 'control-plane' });
    await checking('cp-4');
    await clock.advance(60_000);
    expect(consoleOf('cp-4')).toMatch(/\[check-etcd\] Checking that the etcd cluster is healthy$/);
    const dead = (await members()).find((m) => m.name === 'cp-3')!;
    expect((await lab.etcdctl('cp-1', [addresses[0]!], 'member', 'remove', dead.ID)).exitCode).toBe(0);
    await meanwhile(clock, joined('cp-4'));
    expect((await members()).map((m) => m.name).sort()).toEqual(['cp-1', 'cp-2', 'cp-4']);
  });

  it('fails after two minutes of it', async () => {
    const clock = await controlPlanes(3);
    lab.machines.powerOff('id-of-cp-3', 'hard');
    lab.bootNode('cp-4', '10.0.0.14', { role: 'control-plane' });
    await checking('cp-4');
    const failed = await meanwhile(
      clock,
      until('the step to fail', () => lab.worker.reports.find((r) => r.machine === 'cp-4' && r.state === 'failed')),
    );
    expect(failed.log).toContain('error execution phase check-etcd: etcd cluster is not healthy');
  });

  it('takes the version out of kubeadm-config: pods and API server of the new machine have it, kube-proxy does not', async () => {
    await controlPlanes(1);
    const path = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config';
    const { data } = (await lab.api('GET', path)).body as { data: Record<string, string> };
    const ClusterConfiguration = data.ClusterConfiguration!.replace('v1.35.4', 'v1.36.3');
    await lab.api('PATCH', path, { data: { ClusterConfiguration } }, 'application/merge-patch+json');
    lab.bootNode('cp-2', addresses[1]!, { role: 'control-plane' }, image('v1.36.3'));
    const report = await joined('cp-2');
    expect(report.images).toEqual({
      coreDNS: 'registry.k8s.io/coredns/coredns:v1.14.2',
      kubeProxy: 'registry.k8s.io/kube-proxy:v1.35.4',
    });
    const imageOf = (pod: unknown) => (pod as { spec: { containers: { image: string }[] } }).spec.containers[0]?.image;
    const pods = await until('the static pods', async () => {
      const found = await lab.list('/api/v1/namespaces/kube-system/pods');
      return found.has('etcd-cp-2') ? found : undefined;
    });
    expect(imageOf(pods.get('kube-apiserver-cp-2'))).toBe('registry.k8s.io/kube-apiserver:v1.36.3');
    expect(imageOf(pods.get('etcd-cp-2'))).toBe('registry.k8s.io/etcd:3.6.8-0');
    expect(imageOf(pods.get('kube-apiserver-cp-1'))).toBe('registry.k8s.io/kube-apiserver:v1.35.4');
    const proxy = await lab.api('GET', '/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy');
    expect(imageOf((proxy.body.spec as { template: unknown }).template)).toBe('registry.k8s.io/kube-proxy:v1.35.4');
    const versions = new Set<unknown>();
    await until('both API servers to be asked', async () => {
      const agent = await lab.agent('kubernetes-admin', ['kubeadm:cluster-admins']);
      versions.add((await call(agent, lab.floating, 'GET', '/version')).body.gitVersion);
      agent.destroy();
      return versions.size === 2 ? true : undefined;
    });
    expect([...versions].sort()).toEqual(['v1.35.4', 'v1.36.3']);
  });

  it('has API servers that tell of themselves which they are and what they were asked for', async () => {
    await controlPlanes(3);
    const api = { group: 'policy', version: 'v1beta1', resource: 'budgets', subresource: '', removedRelease: '1.37' };
    expect(lab.machines.noteDeprecated('web', [api], 'cp-4')).toBe(0);
    expect(lab.machines.noteDeprecated('web', [api], 'cp-2')).toBe(1);
    const servers = new Map<string, boolean>();
    await until('each API server to be asked', async () => {
      const agent = await lab.agent('kubernetes-admin', ['kubeadm:cluster-admins']);
      const { text } = await call(agent, lab.floating, 'GET', '/metrics');
      agent.destroy();
      const [, start = ''] = /^process_start_time_seconds (\S+)$/m.exec(text) ?? [];
      servers.set(start, text.includes('apiserver_requested_deprecated_apis{group="policy",removed_release="1.37"'));
      return servers.size === 3 ? true : undefined;
    });
    expect([...servers.values()].filter((told) => told)).toHaveLength(1);
  });

  it('refuses a control plane that is older than the minor before its own', async () => {
    await controlPlanes(1);
    lab.bootNode('cp-2', addresses[1]!, { role: 'control-plane' }, image('v1.37.0'));
    const failed = await until('the step to fail', () => lab.worker.reports.find((r) => r.state === 'failed'));
    expect(failed.log).toContain(
      'this version of kubeadm only supports deploying clusters with the control plane version >= 1.36.0. Current version: v1.35.4',
    );
  });
});

describe('exec', () => {
  it('is spoken in the newest protocol that the client knows', async () => {
    await controlPlanes(1);
    for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io']) {
      const answer = await lab.exec('etcd-cp-1', ['etcdctl', 'frob'], { protocols: [protocol, 'channel.k8s.io'] });
      expect(answer).toMatchObject({
        protocol,
        stdout: '',
        stderr: 'Error: unknown command "frob" for "etcdctl"\n',
        status: {
          status: 'Failure',
          reason: 'NonZeroExitCode',
          details: { causes: [{ reason: 'ExitCode', message: '1' }] },
        },
      });
    }
  });

  it('says of another program that it is not there', async () => {
    await controlPlanes(1);
    for (const pod of ['etcd-cp-1', 'kube-scheduler-cp-1']) {
      const { status } = await lab.exec(pod, ['ls', '/']);
      expect(status).toMatchObject({
        status: 'Failure',
        reason: 'InternalError',
        message: expect.stringContaining('exec: "ls": executable file not found in $PATH'),
      });
    }
  });

  it('takes the right to create it beside the right to get it', async () => {
    await controlPlanes(1);
    const may = async (...verbs: string[]) => {
      const rules = [{ apiGroups: [''], resources: ['pods/exec'], verbs }];
      const path = '/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/runner';
      const metadata = { name: 'runner', namespace: 'kube-system' };
      await lab.apply(
        { path, object: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules } },
        {
          path: path.replace('roles', 'rolebindings'),
          object: {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'RoleBinding',
            metadata,
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'runner' },
            subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'runner' }],
          },
        },
      );
      return lab.exec('etcd-cp-1', ['etcdctl', 'frob'], { user: 'runner', groups: ['nobody'] }).then(
        () => true,
        () => false,
      );
    };
    expect(await may('get')).toBe(false);
    expect(await may('create')).toBe(false);
    expect(await may('get', 'create')).toBe(true);
  });

  it('has nobody to ask on a machine that is off', async () => {
    await controlPlanes(3);
    lab.machines.powerOff('id-of-cp-3', 'hard');
    const path = '/api/v1/namespaces/kube-system/pods/etcd-cp-3/exec?command=etcdctl&stdout=true';
    expect(await until('the API', () => lab.api('GET', path))).toMatchObject({
      status: 400,
      body: { message: 'Upgrade request required' },
    });
    await expect(lab.exec('etcd-cp-3', ['etcdctl', 'frob'])).rejects.toThrow();
  });
});
