import { NODES, PERSISTENT_VOLUMES, PODS, type ResourceType } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import {
  cluster,
  cordoned,
  going,
  isHeld,
  nodeNow,
  nodeOf,
  ofDaemonSet,
  pod,
  run,
  said,
  worker,
} from './machine-world.ts';
import { scenario } from './scenario.ts';

const ATTACHMENTS: ResourceType = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'volumeattachments',
  kind: 'VolumeAttachment',
  namespaced: false,
};
const claim = (claimName: string) => ({ spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] } });

/** A leaving worker without pods to move, with one volume of that claim attached. */
async function withVolume(o: { spec?: object; csi?: boolean; claimName?: string } = {}) {
  const m = worker({ spec: o.spec ?? {} });
  const s = await scenario({ clusters: [cluster], machines: [m] });
  const w = s.workload(cluster);
  w.put(NODES, nodeOf(m));
  w.put(PERSISTENT_VOLUMES, {
    metadata: { name: 'pv-1' },
    spec: {
      claimRef: { namespace: 'default', name: o.claimName ?? 'data-db-0' },
      ...(o.csi === false ? { nfs: {} } : { csi: { driver: 'cinder.csi.openstack.org' } }),
    },
  } as never);
  const attach = (name: string, nodeName: string) =>
    w.put(ATTACHMENTS, {
      metadata: { name },
      spec: { attacher: 'x', nodeName, source: { persistentVolumeName: 'pv-1' } },
    } as never);
  attach('csi-1', 'web-w-1');
  attach('csi-2', 'another-node');
  await cordoned(s, m);
  return { m, s, w, detach: () => w.drop(ATTACHMENTS, { name: 'csi-1' }) };
}

describe('volumes of a leaving worker', () => {
  it('are off before its Node goes', async () => {
    const { m, s, detach } = await withVolume();
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'Detaching' });
    expect(said(s, m, 'VolumesDetached')).toMatchObject({ status: 'False', reason: 'Detaching' });
    expect(nodeNow(s, m)).toBeDefined();
    detach();
    expect(await run(s, m)).toBeUndefined();
    expect(said(s, m, 'VolumesDetached')).toMatchObject({ status: 'True', reason: 'Detached' });
    expect(nodeNow(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });

  it('that do not come off are named after a minute: which, whose, since when, whose move', async () => {
    const { m, s, w } = await withVolume();
    w.put(PODS, pod('db-0', {}, { node: 'web-w-2', ...claim('data-db-0') }));
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'Detaching' });
    await s.clock.advance(60_000);
    for (let i = 0; i < 3; i++) {
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'DetachBlocked' });
      await s.clock.advance(60_000);
    }
    expect(said(s, m, 'VolumesDetached')?.message).toBe(
      "volumes are still attached since 2026-01-01T00:01:02Z: pv-1 (claim default/data-db-0, pod default/db-0 waits for it, driver cinder.csi.openstack.org); waited for without end. It is the driver's move: look at the VolumeAttachments (kubectl get volumeattachments) and at the controller of cinder.csi.openstack.org",
    );
    expect(s.kube.writes).toHaveLength(2);
    expect(isHeld(s, m)).toBe(true);
  });

  it('are given up after their time-out', async () => {
    const { m, s } = await withVolume({ spec: { nodeVolumeDetachTimeoutSeconds: 120 } });
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'Detaching' });
    await s.clock.advance(100_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DetachBlocked' });
    expect(said(s, m, 'VolumesDetached')?.message).toContain('they are given up at 2026-01-01T00:03:02Z');
    await s.clock.advance(20_000);
    await run(s, m);
    expect(said(s, m, 'VolumesDetached')).toMatchObject({ status: 'False', reason: 'DetachTimedOut' });
    expect(s.events).toContainEqual(
      expect.objectContaining({ type: 'Warning', reason: 'DetachTimedOut', message: expect.stringContaining('pv-1') }),
    );
    expect(isHeld(s, m)).toBe(false);
  });

  it('of no CSI driver are not waited for', async () => {
    const { m, s } = await withVolume({ csi: false });
    expect(await run(s, m)).toBeUndefined();
    expect(said(s, m, 'VolumesDetached')).toBeUndefined();
  });

  it('that a DaemonSet uses are not waited for: its pods stay to the end', async () => {
    const { m, s, w } = await withVolume();
    w.put(PODS, pod('log-collector', ofDaemonSet, claim('data-db-0')));
    expect(await run(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });

  it('of pods that a given-up drain leaves behind are not waited for', async () => {
    const { m, s, w } = await withVolume({ spec: { nodeDrainTimeoutSeconds: 60 } });
    w.put(PODS, pod('db-0', going, claim('data-db-0')));
    await s.clock.advance(60_000);
    await run(s, m);
    expect(said(s, m)).toMatchObject({ reason: 'DrainTimedOut' });
    expect(isHeld(s, m)).toBe(false);
  });

  it('of ephemeral claims are found by the name that Kubernetes gives these', async () => {
    const { m, s, w } = await withVolume({ claimName: 'scratch-0-tmp' });
    w.put(PODS, pod('scratch-0', ofDaemonSet, { spec: { volumes: [{ name: 'tmp', ephemeral: {} }] } }));
    expect(await run(s, m)).toBeUndefined();
  });
});
