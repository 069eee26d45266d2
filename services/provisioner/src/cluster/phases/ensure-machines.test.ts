import type { Machine } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import type { ClusterMemory } from '../../memory.ts';
import { machineNamed, NOW, several } from '../../testing/fleet.ts';
import type { ClusterPass } from '../pass.ts';
import type { Plan } from '../plan-machines.ts';
import { ensureMachines, withRemoved } from './ensure-machines.ts';

const aged = (m: Machine, resourceVersion: string): Machine => ({ ...m, metadata: { ...m.metadata, resourceVersion } });

/** A management cluster in which some Machines are newer than the pass knows. */
function scenario(planned: Machine[], removals: Machine[], live = planned, births: object[] = []) {
  const deleted: string[] = [];
  /** As many Machines as were there at most, without those on their way out. */
  let height = planned.length;
  let there = planned.length;
  const memory: ClusterMemory = { looks: 0, unanswered: new Map() };
  const byName = new Map(live.map((m) => [m.metadata.name, m]));
  const pass = {
    key: 'tenant-a/web',
    cluster: { kind: 'Cluster', metadata: { namespace: 'tenant-a' }, spec: { region: 'one' } },
    ref: { name: 'web', uid: 'uid-web' },
    machines: planned,
    memory,
    d: {
      machines: { wrote: () => {} },
      kube: {
        create: async (_: unknown, m: Machine) => {
          height = Math.max(height, ++there);
          return m;
        },
        get: async (_: unknown, ref: { name: string }) => byName.get(ref.name),
        delete: async (_: unknown, ref: { name: string }, o: { resourceVersion?: string }) => {
          if (byName.get(ref.name)?.metadata.resourceVersion !== o.resourceVersion)
            throw new KubeError({
              status: 409,
              reason: 'Conflict',
              method: 'DELETE',
              path: '/',
              message: 'another version',
            });
          deleted.push(ref.name);
          there--;
          return 'deleting';
        },
      },
    },
  } as unknown as ClusterPass;
  const plan = {
    births,
    updates: [],
    removals: removals.map((machine) => ({ machine, why: 'surplus', because: [] })),
  };
  const ids = { images: new Map([['v1.35.4', 'image']]), flavors: new Map([['w', 'flavor']]) };
  const run = () => ensureMachines(pass, plan as unknown as Plan, ids);
  return { run, deleted, memory, height: () => height, there: () => there };
}

const controls = several('cp', 3);
const [first, second, third] = controls as [Machine, Machine, Machine];
const worker = machineNamed('w1');

describe('a planned removal', () => {
  it('is carried out when all is as the plan saw it, and remembered until the watch shows it', async () => {
    const s = scenario([...controls, worker], [third, worker]);
    await s.run();
    expect(s.deleted).toEqual(['cp3', 'w1']);
    expect(
      withRemoved([...controls, worker], s.memory, NOW).map((m) => m.metadata.deletionTimestamp !== undefined),
    ).toEqual([false, false, true, true]);
    expect(withRemoved([first, second], s.memory, NOW)).toEqual([first, second]);
    expect(s.memory.removed?.size).toBe(0);
  });

  it('of a control-plane machine is not while another of them has changed', async () => {
    const s = scenario([...controls, worker], [third, worker], [first, aged(second, '2'), third, worker]);
    await expect(s.run()).rejects.toMatchObject({ kind: 'waiting', reason: 'MachineChanged' });
    expect(s.deleted).toEqual(['w1']);
  });

  it('of a machine that has changed is planned anew', async () => {
    const s = scenario([worker], [worker], [aged(worker, '2')]);
    await expect(s.run()).rejects.toMatchObject({ kind: 'waiting', reason: 'MachineChanged' });
    expect(s.deleted).toEqual([]);
    expect(s.memory.removed?.size ?? 0).toBe(0);
  });

  it('comes before the births of the same plan, which take its place in the quota', async () => {
    const pool = { name: 'w', role: 'worker', drainTimeout: 0, detachTimeout: 0 };
    const s = scenario([worker], [worker], [worker], [{ name: 'w2', pool, release: 'v1.35.4', zone: undefined }]);
    await s.run();
    expect(s.deleted).toEqual(['w1']);
    expect([s.there(), s.height()]).toEqual([1, 1]);
  });
});
