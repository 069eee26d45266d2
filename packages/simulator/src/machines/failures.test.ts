import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatorClock } from '../core/clock.ts';
import type { NodeFault } from '../core/faults.ts';
import { conditionOf, Lab, until } from './testing/lab.ts';
import { cni, deployment } from './testing/manifests.ts';

let lab: Lab;
let clock: SimulatorClock;
afterEach(() => lab.close());

const joined = (name: string) =>
  until(`${name} to join`, () => lab.worker.reports.find((r) => r.machine === name && r.step === 'joined'));
const ready = (name: string, status: string) =>
  until(`${name} to be ${status}`, async () => ((await lab.nodes())[name] === status ? true : undefined));
const fail = (name: string, fault: NodeFault) => lab.hub.nodeFault({ serverId: `id-of-${name}`, ...fault });
const node = async (name: string) => (await lab.list('/api/v1/nodes')).get(name)!;
const taints = async (name: string) =>
  ((await node(name)).spec as { taints?: { key: string; effect: string }[] }).taints?.map(
    (t) => `${t.key}:${t.effect}`,
  ) ?? [];

/** One control plane and two workers, with a network. */
async function start(): Promise<void> {
  clock = new SimulatorClock({ mode: 'manual' });
  lab = await Lab.start(clock);
  lab.bootControlPlane();
  await joined('cp-1');
  for (const n of [1, 2]) lab.bootNode(`w-${n}`, `10.0.0.2${n}`);
  await joined('w-1');
  await joined('w-2');
  await lab.apply(...cni);
  for (const name of ['cp-1', 'w-1', 'w-2']) await ready(name, 'True');
}

describe('a machine that nobody hears', () => {
  it('is heard again by itself after the time that was ordered, without a boot', async () => {
    await start();
    const boots = lab.machines.consoleLog('id-of-w-1').filter((l) => l.startsWith('Linux version')).length;
    fail('w-1', { fault: 'silent', forMs: 90_000 });
    await clock.advance(60_000);
    await ready('w-1', 'Unknown');
    await clock.advance(30_000);
    await ready('w-1', 'True');
    expect(lab.machines.consoleLog('id-of-w-1').filter((l) => l.startsWith('Linux version'))).toHaveLength(boots);
  });

  it.each([
    ['reboot', 'soft', 'True'],
    ['hardReboot', 'soft', 'Unknown'],
    ['hardReboot', 'hard', 'True'],
    ['nothing', 'hard', 'Unknown'],
  ] as const)('cured by %s is after a %s reboot %s', async (curedBy, how, status) => {
    await start();
    fail('w-1', { fault: 'silent', curedBy });
    await clock.advance(60_000);
    await ready('w-1', 'Unknown');
    lab.machines.reboot('id-of-w-1', how);
    await clock.advance(60_000);
    await ready('w-1', status);
  });

  it('installs on where it was, once it is heard again', async () => {
    await start();
    lab.bootNode('w-3', '10.0.0.23', { token: 'aaaaaa.ffffffffffffffff' });
    await until('its step to fail', () => lab.worker.reports.find((r) => r.machine === 'w-3' && r.state === 'failed'));
    fail('w-3', { fault: 'silent', forMs: 1000 });
    lab.worker.tasks.set('w-3', { ...lab.worker.tasks.get('w-3')!, token: 'aaaaaa.0123456789abcdef' } as never);
    await clock.advance(1000);
    await joined('w-3');
  });

  it('serves nobody: its pods are not ready, and go after five minutes', async () => {
    await start();
    await lab.apply(deployment('web', 2));
    const on = async (name: string) => [
      ...(await lab.list(`/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName=${name}`)).values(),
    ];
    await until('a pod on each', async () => {
      const pods = [...(await on('w-1')), ...(await on('w-2'))];
      return (await on('w-1')).length === 1 && pods.every((p) => conditionOf(p, 'Ready') === 'True') ? true : undefined;
    });
    fail('w-1', { fault: 'silent' });
    await clock.advance(41_000);
    await until('its pod not to be ready', async () =>
      conditionOf((await on('w-1'))[0]!, 'Ready') === 'False' ? true : undefined,
    );
    await clock.advance(290_000);
    const deleted = async () =>
      ((await on('w-1'))[0]!.metadata as { deletionTimestamp?: string }).deletionTimestamp !== undefined;
    expect(await deleted()).toBe(false);
    await clock.advance(15_000);
    await until('the pod to be deleted', async () => ((await deleted()) ? true : undefined));
    await until('another in its place', async () => ((await on('w-2')).length === 2 ? true : undefined));
  });
});

describe('conditions of a node', () => {
  it.each([
    ['MemoryPressure', 'node.kubernetes.io/memory-pressure:NoSchedule'],
    ['PIDPressure', 'node.kubernetes.io/pid-pressure:NoSchedule'],
    ['DiskPressure', 'node.kubernetes.io/disk-pressure:NoSchedule'],
  ] as const)('%s keeps pods away as long as it is ordered', async (fault, taint) => {
    await start();
    fail('w-1', { fault, forMs: 60_000 });
    await until('the taint', async () => ((await taints('w-1')).includes(taint) ? true : undefined));
    expect(conditionOf(await node('w-1'), fault)).toBe('True');
    expect(conditionOf(await node('w-1'), 'Ready')).toBe('True');
    await clock.advance(60_000);
    await until('the taint to go', async () => ((await taints('w-1')).length === 0 ? true : undefined));
    expect(conditionOf(await node('w-1'), fault)).toBe('False');
  });

  it.each(['ReadonlyFilesystem', 'KernelDeadlock'] as const)(
    'of a node-problem-detector are there once they are ordered: %s, until a reboot',
    async (fault) => {
      await start();
      expect(conditionOf(await node('w-1'), fault)).toBe('');
      fail('w-1', { fault });
      await until('the condition', async () => (conditionOf(await node('w-1'), fault) === 'True' ? true : undefined));
      lab.machines.reboot('id-of-w-1', 'soft');
      await until('it to end', async () => (conditionOf(await node('w-1'), fault) === 'False' ? true : undefined));
    },
  );

  it('can be Ready while the pod network does not work, from the start or later', async () => {
    await start();
    const cniPod = async (name: string) =>
      [...(await lab.list(`/api/v1/namespaces/kube-flannel/pods?fieldSelector=spec.nodeName=${name}`)).values()][0]!;
    const cniIs = (name: string, status: string) =>
      until(`the CNI on ${name} to be ${status}`, async () =>
        conditionOf(await cniPod(name), 'Ready') === status ? true : undefined,
      );
    await cniIs('w-1', 'True');
    lab.bootNode('w-3', '10.0.0.23');
    for (const name of ['w-1', 'w-3']) {
      fail(name, { fault: 'noPodNetwork' });
      await until('it to have joined', async () => ((await lab.nodes())[name] ? true : undefined));
      await ready(name, 'True');
      await cniIs(name, 'False');
    }
    expect(conditionOf(await node('w-3'), 'NetworkUnavailable')).toBe('');
    for (const name of ['w-1', 'w-3']) {
      fail(name, { fault: 'none' });
      await cniIs(name, 'True');
    }
    await until('the network of w-3', async () =>
      conditionOf(await node('w-3'), 'NetworkUnavailable') === 'False' ? true : undefined,
    );
  });
});

describe('volumes', () => {
  const claim = async () => {
    await lab.apply(
      {
        path: '/apis/storage.k8s.io/v1/storageclasses/cinder',
        object: {
          apiVersion: 'storage.k8s.io/v1',
          kind: 'StorageClass',
          metadata: { name: 'cinder' },
          provisioner: 'cinder.csi.openstack.org',
        },
      },
      {
        path: '/api/v1/namespaces/default/persistentvolumeclaims/data',
        object: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data', namespace: 'default' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: '1Gi' } },
            storageClassName: 'cinder',
          },
        },
      },
      deployment('db', 1, 'postgres:1', {
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      }),
    );
  };
  const attached = async () =>
    [...(await lab.list('/apis/storage.k8s.io/v1/volumeattachments')).values()].map(
      (a) => a.spec as { attacher: string; nodeName: string; source: { persistentVolumeName: string } },
    );

  it('are attached where a pod mounts them, and detached when it has gone elsewhere', async () => {
    await start();
    await claim();
    const [first] = await until('an attachment', async () => {
      const found = await attached();
      return found.length === 1 ? found : undefined;
    });
    expect(first).toMatchObject({
      attacher: 'cinder.csi.openstack.org',
      source: { persistentVolumeName: expect.stringMatching(/^pvc-/) },
    });
    await lab.api(
      'PATCH',
      `/api/v1/nodes/${first!.nodeName}`,
      { spec: { unschedulable: true } },
      'application/merge-patch+json',
    );
    await lab.api('DELETE', '/api/v1/namespaces/default/pods?labelSelector=app%3Ddb');
    await until('it to follow the pod', async () => {
      const found = await attached();
      return found.length === 1 && found[0]!.nodeName !== first!.nodeName ? true : undefined;
    });
  });

  it('stay with a silent node for six minutes more, and go at once with its Node', async () => {
    await start();
    await claim();
    const [first] = await until('an attachment', async () => {
      const found = await attached();
      return found.length === 1 ? found : undefined;
    });
    const there = async () => (await attached()).some((a) => a.nodeName === first!.nodeName);
    fail(first!.nodeName, { fault: 'silent' });
    await clock.advance(41_000);
    await ready(first!.nodeName, 'Unknown');
    await lab.api('DELETE', '/api/v1/namespaces/default/pods?labelSelector=app%3Ddb&gracePeriodSeconds=0');
    await clock.advance(5 * 60_000);
    expect(await there()).toBe(true);
    await lab.api('DELETE', `/api/v1/nodes/${first!.nodeName}`);
    await until('it to go', async () => ((await there()) ? undefined : true));
  });
});

describe('the way to an API', () => {
  const silent = (address: string) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(6443, address);
      const end = (isSilent: boolean) => {
        socket.destroy();
        resolve(isSilent);
      };
      // A TLS server would answer nonsense with an alert at once.
      socket.once('connect', () => {
        socket.write('nonsense that is no TLS\r\n\r\n');
        setTimeout(() => end(true), 300);
      });
      socket.once('data', () => end(false));
      socket.once('close', () => end(false));
      socket.once('error', () => end(false));
    });

  it('can be cut: refused or swallowed outside, while the cluster goes on inside', async () => {
    await start();
    lab.machines.cut(lab.floating, 'refuse');
    await expect(lab.api('GET', '/healthz')).rejects.toThrow();
    lab.machines.cut(lab.floating, 'hang');
    await until('an address that takes connections', async () => ((await silent(lab.floating)) ? true : undefined));
    lab.bootNode('w-3', '10.0.0.23');
    await joined('w-3');
    lab.machines.cut(lab.floating, undefined);
    await until('the API', () => lab.api('GET', '/healthz'));
    await ready('w-3', 'True');
  });
});
