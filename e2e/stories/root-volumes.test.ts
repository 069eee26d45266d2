import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, MachineKind, resourceOf, tenantNamespace } from '@shoto/api';
import { collect } from 'openstack-client-ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { startWorld, type World } from '../world.ts';

let world: World;
let before: Holdings;
const machines = () =>
  world.management.listAll<Machine>(resourceOf(MachineKind), { namespace: tenantNamespace(world.system.tenant) });

beforeAll(async () => {
  world = await startWorld();
  before = await holdings(world.cloud);
});
afterAll(() => world?.end());

it('boots control plane and pool from volumes of the size asked for, and deletes them with the cluster', async () => {
  const file = join(world.system.dir, 'disks.yaml');
  const spec = {
    controlPlane: { rootVolume: { sizeGiB: 12 } },
    nodePools: [
      { name: 'on-volume', count: 1, rootVolume: { sizeGiB: 11 } },
      { name: 'on-flavor', count: 1 },
    ],
  };
  writeFileSync(
    file,
    JSON.stringify({ apiVersion: 'shoto.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'disks' }, spec }),
  );

  const { code, stderr } = await world.shoto('create', 'cluster', '-f', file, '--no-wait');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const made = await until(
    'three servers ACTIVE',
    async () => {
      const active = (await machines()).filter((m) => m.status?.server?.state === 'Active');
      return active.length === 3 && active;
    },
    240_000,
  );

  const volumes = await collect(world.cloud.blockStorage.volumes.list());
  const sizesOf = (pool: string): number[] => {
    const server = made.find((m) => m.spec.pool === pool)?.status?.server?.id;
    return volumes.filter((v) => v.attachments.some((a) => a.server_id === server)).map((v) => v.size);
  };
  expect({
    controlPlane: sizesOf('control-plane'),
    onVolume: sizesOf('on-volume'),
    onFlavor: sizesOf('on-flavor'),
  }).toEqual({ controlPlane: [12], onVolume: [11], onFlavor: [] });
  expect(volumes.filter((v) => v.bootable === 'true')).toHaveLength(2);

  expect((await world.shoto('delete', 'cluster', 'disks', '--timeout', '4m')).code).toBe(0);
  await until(
    'nothing left in the cloud',
    async () => {
      const rest = difference(before, await holdings(world.cloud));
      return rest.length === 0 ? true : Promise.reject(new Error(rest.join(', ')));
    },
    60_000,
  );
});
