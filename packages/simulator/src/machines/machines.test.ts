import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatorClock } from '../core/clock.ts';
import { call, conditionOf, Lab, until } from './testing/lab.ts';
import { cni } from './testing/manifests.ts';

let lab: Lab;
afterEach(() => lab.close());

const joined = (name: string) =>
  until(`${name} to join`, () => lab.worker.reports.find((r) => r.machine === name && r.step === 'joined'));
const allReady = (count: number) =>
  until(`${count} nodes Ready`, async () => {
    const nodes = await lab.nodes();
    return Object.values(nodes).filter((s) => s === 'True').length === count ? nodes : undefined;
  });
const isRefused = () =>
  until('refused connections', () =>
    lab.api('GET', '/healthz').then(
      () => undefined,
      () => true,
    ),
  );

describe('a cluster from nothing', () => {
  it('boots one control plane and two workers, whose nodes are Ready once a CNI runs on them', async () => {
    lab = await Lab.start();
    lab.bootNode('w-1', '10.0.0.21', { taints: [{ key: 'dedicated', value: 'web', effect: 'NoSchedule' }] });
    lab.bootNode('w-2', '10.0.0.22');
    lab.bootControlPlane();
    await until('three nodes', async () => (Object.keys(await lab.nodes()).length === 3 ? true : undefined));
    expect(await lab.nodes()).toEqual({ 'cp-1': 'False', 'w-1': 'False', 'w-2': 'False' });

    await lab.apply(...cni);
    await allReady(3);
    const nodes = await lab.list('/api/v1/nodes');
    const worker = nodes.get('w-1') as {
      metadata: { labels: Record<string, string> };
      spec: { taints: object[]; podCIDR: string; providerID: string };
      status: {
        conditions: { type: string; reason: string }[];
        nodeInfo: { kubeletVersion: string };
        capacity: object;
      };
    };
    expect(worker.metadata.labels).toMatchObject({ 'shoto.dev/pool': 'default', 'kubernetes.io/hostname': 'w-1' });
    expect(worker.spec).toMatchObject({
      taints: [{ key: 'dedicated', value: 'web', effect: 'NoSchedule' }],
      podCIDR: expect.stringMatching(/^10\.244\.\d+\.0\/24$/),
      providerID: 'openstack:///id-of-w-1',
    });
    expect(worker.status.nodeInfo.kubeletVersion).toBe('v1.35.4');
    expect(worker.status.capacity).toMatchObject({ cpu: '2', memory: '4194304Ki', pods: '110' });
    expect(worker.status.conditions.find((c) => c.type === 'NetworkUnavailable')).toMatchObject({
      status: 'False',
      reason: 'FlannelIsUp',
    });
    expect(lab.machines.consoleLog('id-of-cp-1').join('\n')).toContain('control-plane has initialized successfully');
  });

  it('has what kubeadm leaves behind', async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    await lab.apply(...cni);
    const configMaps = await lab.list('/api/v1/namespaces/kube-system/configmaps');
    expect([...configMaps.keys()]).toEqual(
      expect.arrayContaining(['coredns', 'kube-proxy', 'kube-root-ca.crt', 'kubeadm-config', 'kubelet-config']),
    );
    const pods = await until('CoreDNS to run', async () => {
      const found = await lab.list('/api/v1/namespaces/kube-system/pods');
      const dns = [...found].filter(([name]) => name.startsWith('coredns-'));
      return dns.length === 2 && dns.every(([, p]) => conditionOf(p, 'Ready') === 'True') ? found : undefined;
    });
    expect([...pods.keys()]).toEqual(
      expect.arrayContaining([
        'etcd-cp-1',
        'kube-apiserver-cp-1',
        'kube-controller-manager-cp-1',
        'kube-scheduler-cp-1',
      ]),
    );
    const dns = await lab.api('GET', '/api/v1/namespaces/kube-system/endpoints/kube-dns');
    expect((dns.body.subsets as { addresses: object[] }[])[0]?.addresses).toHaveLength(2);
    const own = await lab.api('GET', '/api/v1/namespaces/default/endpoints/kubernetes');
    expect(own.body.subsets).toMatchObject([{ addresses: [{ ip: '10.0.0.11' }], ports: [{ port: 6443 }] }]);
  });

  it('lets in by certificate of its own CA only, with the rights of its groups', async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    const nobody = await lab.agent('somebody', ['nobody']);
    expect((await call(nobody, lab.floating, 'GET', '/api/v1/nodes')).status).toBe(403);
    nobody.destroy();
    expect((await lab.api('GET', '/api/v1/nodes')).status).toBe(200);
  });
});

describe('a machine that must not join', () => {
  it('keeps asking with a wrong ticket, and never appears', async () => {
    const clock = new SimulatorClock({ mode: 'manual' });
    lab = await Lab.start(clock);
    lab.machines.powerOn(lab.server('thief', '10.0.0.66'));
    await until('a refusal', () => lab.worker.refused[0]);
    await until('the machine to wait', () =>
      lab.machines.consoleLog('id-of-thief').some((l) => l.includes('TicketInvalid')) ? true : undefined,
    );
    await clock.advance(60_000);
    await until('a second refusal', () => lab.worker.refused[1]);
    expect(lab.worker.refused).toEqual(['thief', 'thief']);
    expect(lab.machines.counts().clusters).toBe(0);
  });

  it('trusts no server but the one that the CA of its user-data vouches for', async () => {
    lab = await Lab.start();
    const userData = lab.worker.userData('cp-1', lab.worker.pki.ca.certificate);
    lab.machines.powerOn(lab.server('cp-1', '10.0.0.11', { userData }));
    const line = await until('a failure', () =>
      lab.machines.consoleLog('id-of-cp-1').find((l) => /failed: .*certificate/i.test(l)),
    );
    expect(line).toBeDefined();
    expect(lab.worker.refused).toEqual([]);
  });

  it('fails its step with a token that its cluster does not know, and says what it printed', async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    lab.bootNode('w-1', '10.0.0.21', { token: 'aaaaaa.ffffffffffffffff' });
    const failed = await until('the step to fail', () => lab.worker.reports.find((r) => r.state === 'failed'));
    expect(failed).toMatchObject({
      machine: 'w-1',
      step: 'kubeadm-join',
      log: expect.stringContaining('Unauthorized'),
    });
    expect(Object.keys(await lab.nodes())).toEqual(['cp-1']);
  });

  it.each([
    [
      'a version that its kubeadm cannot install',
      { kubernetesVersion: 'v1.33.0' },
      'version >= 1.34.0. Current version: v1.33.0',
    ],
    ['a configuration of an older API', { apiVersion: 'kubeadm.k8s.io/v1beta3' }, 'old or unknown API spec'],
  ])('fails its step with %s', async (_title, cluster, words) => {
    lab = await Lab.start();
    lab.bootControlPlane({ cluster });
    const failed = await until('the step to fail', () => lab.worker.reports.find((r) => r.state === 'failed'));
    expect(failed.log).toContain(words);
    expect(lab.machines.counts().clusters).toBe(0);
  });

  it('needs the programs that its image lacks', async () => {
    lab = await Lab.start();
    lab.worker.tasks.set('cp-1', {
      role: 'init',
      name: 'cp-1',
      address: '10.0.0.11',
      endpoint: '10.0.0.5:6443',
      sans: [],
    });
    lab.machines.powerOn(lab.server('cp-1', '10.0.0.11', { image: { id: 'i', name: 'debian-12', properties: {} } }));
    const failed = await until('the step to fail', () => lab.worker.reports.find((r) => r.state === 'failed'));
    expect(failed.log).toContain("No such file or directory: 'kubeadm'");
  });
});

describe('a machine whose image lacks Kubernetes', () => {
  const program = 'what kubeadm would be';
  const boot = async (sha256: string) => {
    const server = createServer((_request, response) => response.end(program)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const artifacts = ['kubeadm', 'kubelet', 'containerd'].map((name) => ({
      name,
      url,
      sha256,
      path: `/usr/bin/${name}`,
    }));
    lab = await Lab.start();
    lab.bootControlPlane({ artifacts }, { image: { id: 'i', name: 'debian-12', properties: {} } });
    return server;
  };
  it('downloads the programs, checks them, and goes on', async () => {
    const server = await boot(createHash('sha256').update(program).digest('hex'));
    await joined('cp-1');
    server.close();
    expect(lab.worker.reports.map((r) => `${r.step} ${r.state}`)).toEqual(
      expect.arrayContaining(['download done', 'kubeadm-init done']),
    );
  });
  it('installs nothing whose digest is another', async () => {
    const server = await boot('0'.repeat(64));
    const failed = await until('the step to fail', () => lab.worker.reports.find((r) => r.state === 'failed'));
    server.close();
    expect(failed).toMatchObject({ step: 'download', log: expect.stringContaining('the release says sha256:0000') });
    expect(lab.machines.counts().clusters).toBe(0);
  });
});

describe('the way to the API', () => {
  it('never leads into the network of another tenant that uses the same addresses', async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    await until('the API', () => lab.api('GET', '/healthz'));
    lab.networkOf.set('vip', 'net-of-another');
    lab.hub.loadBalancer({ id: 'lb', vipPortId: 'vip', vipAddress: '10.0.0.5', deleted: true, listeners: [] });
    lab.balance('10.0.0.11');
    await isRefused();
  });
  it('refuses connections while no member of the load balancer is up, and after its floating IP went', async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    await until('the API', () => lab.api('GET', '/healthz'));
    lab.balance('10.0.0.99');
    await isRefused();
    lab.balance('10.0.0.11');
    await until('the API', () => lab.api('GET', '/healthz'));
    lab.hub.floatingIp({ address: lab.floating, portId: null, fixedAddress: null });
    await isRefused();
  });

  it("leads straight to a machine by a floating IP of the machine's own port", async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    lab.hub.floatingIp({ address: lab.floating, portId: 'port-of-cp-1', fixedAddress: '10.0.0.11' });
    await until('the API', async () => ((await lab.api('GET', '/readyz')).status === 200 ? true : undefined));
  });

  it('dies with its last control-plane machine', async () => {
    lab = await Lab.start();
    lab.bootControlPlane();
    await joined('cp-1');
    await until('the API', () => lab.api('GET', '/healthz'));
    lab.machines.destroy('id-of-cp-1');
    await isRefused();
    expect(lab.machines.counts()).toEqual({ machines: 0, clusters: 0, listeners: 0 });
  });
});

describe('power and failures', () => {
  const minutes = async (clock: SimulatorClock, n: number) => clock.advance(n * 60_000);
  const start = async () => {
    const clock = new SimulatorClock({ mode: 'manual' });
    lab = await Lab.start(clock);
    lab.bootControlPlane();
    // A worker that asks too early comes again when time has passed.
    await joined('cp-1');
    lab.bootNode('w-1', '10.0.0.21');
    await joined('w-1');
    await lab.apply(...cni);
    await allReady(2);
    return clock;
  };
  const ready = (name: string, status: string) =>
    until(`${name} to be ${status}`, async () => ((await lab.nodes())[name] === status ? true : undefined));
  const taints = async (name: string) =>
    (
      ((await lab.list('/api/v1/nodes')).get(name)?.spec as { taints?: { key: string }[] } | undefined)?.taints ?? []
    ).map((t) => t.key);

  it('says Unknown of a node that was switched off forty seconds ago, and Ready when it is back', async () => {
    const clock = await start();
    lab.machines.powerOff('id-of-w-1', 'hard');
    await clock.advance(39_000);
    expect((await lab.nodes())['w-1']).toBe('True');
    await clock.advance(2000);
    await ready('w-1', 'Unknown');
    await until('its taint', async () =>
      (await taints('w-1')).includes('node.kubernetes.io/unreachable') ? true : undefined,
    );
    lab.machines.powerOn(lab.server('w-1', '10.0.0.21'));
    await ready('w-1', 'True');
    await until('its taint to go', async () => ((await taints('w-1')).length === 0 ? true : undefined));
  });

  it.each(['die', 'silent'] as const)('loses a node that goes %s', async (fault) => {
    const clock = await start();
    lab.hub.nodeFault({ serverId: 'id-of-w-1', fault });
    await minutes(clock, 1);
    await ready('w-1', 'Unknown');
    lab.machines.reboot('id-of-w-1', 'hard');
    if (fault === 'silent') await ready('w-1', 'True');
    else expect(await lab.nodes()).toMatchObject({ 'w-1': 'Unknown' });
  });

  it('reports a full disk and keeps new pods away', async () => {
    await start();
    lab.hub.nodeFault({ serverId: 'id-of-w-1', fault: 'diskFull' });
    await until('the taint', async () =>
      (await taints('w-1')).includes('node.kubernetes.io/disk-pressure') ? true : undefined,
    );
    expect(conditionOf((await lab.list('/api/v1/nodes')).get('w-1')!, 'DiskPressure')).toBe('True');
  });

  it('brings the API and the cluster back after a reboot of the only control plane, without asking to join again', async () => {
    await start();
    const asked = lab.worker.reports.length;
    lab.machines.powerOff('id-of-cp-1', 'soft');
    await isRefused();
    lab.machines.powerOn(lab.server('cp-1', '10.0.0.11'));
    await allReady(2);
    expect(lab.worker.reports).toHaveLength(asked);
  });

  it('forgets an ended bootstrap token', async () => {
    const clock = await start();
    const path = '/api/v1/namespaces/kube-system/secrets/bootstrap-token-aaaaaa';
    expect((await lab.api('GET', path)).status).toBe(200);
    await minutes(clock, 24 * 60 + 1);
    await until('the token to go', async () => ((await lab.api('GET', path)).status === 404 ? true : undefined));
  });
});
