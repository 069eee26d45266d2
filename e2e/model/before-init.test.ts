import type { Machine } from '@shoto/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hurt, stopFleet } from './actor.ts';
import { leftovers, settle } from './settled.ts';
import { destroy, startAction } from './simulators.ts';
import { Truth } from './truth.ts';
import { Watch } from './watch.ts';
import { CLUSTERS, MACHINES, NAMESPACE, startWorld, type World } from './world.ts';

const MINUTE = 60_000;
const seed = Number(process.env.SEED || 1);
/** Seconds after a machine was told to make the control plane. kubeadm takes some 14. */
const MOMENTS = [0, 3, 6, 9, 12, 14, 16];

let world: World;
let truth: Truth;
let watch: Watch;

beforeEach(async () => {
  world = await startWorld({ seed });
  truth = new Truth(world);
  watch = new Watch(world, truth);
}, 120_000);
afterEach(() => world?.close());

/** A new cluster, and the machine that makes its control plane, as many seconds after it was told to. */
async function making(name: string, seconds: number): Promise<Machine> {
  await world.createCluster(name, {
    controlPlane: { count: 3, flavor: 'm1.medium' },
    nodePools: [{ name: 'w', count: 1, flavor: 'm1.small' }],
  });
  const maker = (): string | undefined => truth.cluster(name)?.status?.controlPlane?.initMachine;
  await world.time.until(() => maker() !== undefined, 5 * MINUTE, 250);
  await world.time.advance(seconds * 1000);
  return truth.machines(name).find((m) => m.metadata.uid === maker())!;
}

const otherFlavor = (name: string): Promise<unknown> =>
  world.kube.mergePatch(
    CLUSTERS,
    { namespace: NAMESPACE, name },
    { spec: { controlPlane: { count: 3, flavor: 'm1.large' } } },
  );
/** As somebody else would delete it. */
function destroyServer(name: string): void {
  const server = truth.servers().find((s) => s.name === name)!;
  destroy(world.cloud.state, server, startAction(world.cloud.state, server, 'delete', 'req-1', 'somebody'));
}

/** What the cluster lacks after two hours, and what is left of it when it was deleted. */
async function ends(name: string): Promise<unknown> {
  const { lacks } = await settle(world, truth, name, 120 * MINUTE);
  await world.kube.delete(CLUSTERS, { namespace: NAMESPACE, name });
  await world.time.until(() => leftovers(world, truth, name).length === 0, 60 * MINUTE, 2000);
  return { lacks, left: leftovers(world, truth, name), violations: watch.violations.splice(0) };
}
const well = { lacks: [], left: [], violations: [] };

describe('a cluster comes up', () => {
  it('though the machine that makes its control plane is replaced meanwhile', async () => {
    for (const seconds of MOMENTS) {
      await making(`web${seconds}`, seconds);
      await otherFlavor(`web${seconds}`);
      expect([seconds, await ends(`web${seconds}`)]).toEqual([seconds, well]);
    }
  }, 300_000);

  it('though that machine is deleted, and cannot go for a minute, since the fleet is stopped', async () => {
    for (const seconds of MOMENTS) {
      const name = `web${seconds}`;
      const { metadata } = await making(name, seconds);
      await stopFleet(world, true);
      await world.time.advance(1_000);
      await world.kube.delete(MACHINES, { namespace: NAMESPACE, name: metadata.name });
      await world.time.advance(MINUTE);
      expect(truth.machines(name).map((m) => m.metadata.name)).toContain(metadata.name);
      await stopFleet(world, false);
      expect([seconds, await ends(name)]).toEqual([seconds, well]);
    }
  }, 300_000);

  it.each(['its server is deleted by somebody else', 'it dies'])(
    'though it is lost meanwhile: %s',
    async (how) => {
      let lost = 0;
      for (const seconds of MOMENTS) {
        const name = `web${seconds}`;
        const { metadata } = await making(name, seconds);
        if (how === 'it dies') hurt(world, truth, metadata.name, 'die');
        else destroyServer(metadata.name);
        const servers = () => [...world.cloud.state.compute.servers.values()];
        await world.time.until(() => !servers().some((s) => s.name === metadata.name), 10_000, 250);
        // With the last machine of a cluster that runs its data is lost: that is for a person.
        if (truth.cluster(name)?.status?.controlPlane?.initialized) break;
        expect([seconds, await ends(name)]).toEqual([seconds, well]);
        lost++;
      }
      expect(lost).toBeGreaterThan(2);
    },
    300_000,
  );
});
