import { createHash } from 'node:crypto';
import type { KubeObject } from '../../kubernetes/index.ts';
import { at, list, record, text } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { keyOf, refOf } from './objects.ts';

/** How long kube-controller-manager lets a node that is not well keep a volume which no pod there needs any more. */
const FORCE_DETACH_MS = 6 * 60_000;

/** Names of the claims that a pod mounts. */
const claimsOf = (pod: KubeObject): string[] =>
  list(at(pod, 'spec', 'volumes'))
    .map((v) => text(at(v, 'persistentVolumeClaim', 'claimName')))
    .filter((name) => name !== '');

const nodeOf = (pod: KubeObject): string => text(at(pod, 'spec', 'nodeName'));

/** Binds claims: to the volume that they name, or to one that the driver of their StorageClass makes. */
export const volumeBinder = (x: Context): Controller => ({
  name: 'volume-binder',
  sees: {
    persistentvolumeclaims: ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
    // Whatever waits for a volume or a class looks again.
    persistentvolumes: ({ type }) => (type === 'ADDED' ? pendingClaims(x) : []),
    'storageclasses.storage.k8s.io': ({ type }) => (type === 'ADDED' ? pendingClaims(x) : []),
  },
  reconcile(key) {
    const claims = x.resources.of('PersistentVolumeClaim');
    const claim = claims.get(refOf(key));
    if (!claim || claim.metadata.deletionTimestamp || at(claim, 'status', 'phase') === 'Bound') return;
    const volumes = x.resources.of('PersistentVolume');
    const name = text(at(claim, 'spec', 'volumeName')) || `pvc-${claim.metadata.uid}`;
    const className = text(at(claim, 'spec', 'storageClassName'));
    const storageClass = x.resources.of('StorageClass').get({ name: className });
    const { namespace, uid, name: claimName } = claim.metadata;
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claimName, uid };
    if (volumes.get({ name })) volumes.patch({ name }, { spec: { claimRef } });
    else if (at(claim, 'spec', 'volumeName') || !storageClass) return;
    else
      volumes.create({
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: {
          accessModes: at(claim, 'spec', 'accessModes'),
          capacity: { storage: at(claim, 'spec', 'resources', 'requests', 'storage') },
          claimRef,
          csi: { driver: text(storageClass.provisioner), volumeHandle: uid ?? '' },
          persistentVolumeReclaimPolicy: text(storageClass.reclaimPolicy) || 'Delete',
          storageClassName: className,
        },
      });
    volumes.patchStatus({ name }, { phase: 'Bound' });
    claims.patch(refOf(key), { spec: { volumeName: name } });
    claims.patchStatus(refOf(key), {
      phase: 'Bound',
      accessModes: at(claim, 'spec', 'accessModes'),
      capacity: at(volumes.get({ name }), 'spec', 'capacity'),
    });
  },
});

const pendingClaims = (x: Context): string[] =>
  x.resources
    .of('PersistentVolumeClaim')
    .list()
    .filter((c) => at(c, 'status', 'phase') !== 'Bound')
    .map(keyOf);

/** Attaches CSI volumes to nodes whose pods mount them, and detaches them when no pod there does any more. */
export function attachDetach(x: Context): Controller {
  /** Since when nothing needs an attachment, by its name. */
  const unneeded = new Map<string, number>();
  const attachments = () => x.resources.of('VolumeAttachment');

  /** Volumes that pods of a node mount, by the name of their attachment. */
  const wanted = (node: string): Map<string, { attacher: string; volume: string }> => {
    const found = new Map<string, { attacher: string; volume: string }>();
    for (const pod of x.pods.onNode(node)) {
      if (['Succeeded', 'Failed'].includes(text(at(pod, 'status', 'phase')))) continue;
      const namespace = pod.metadata.namespace ?? '';
      for (const name of claimsOf(pod)) {
        const claim = x.resources.of('PersistentVolumeClaim').get({ namespace, name });
        const volume = text(at(claim, 'spec', 'volumeName'));
        const csi = record(at(x.resources.of('PersistentVolume').get({ name: volume }), 'spec', 'csi'));
        const attacher = text(csi.driver);
        if (volume === '' || attacher === '' || at(claim, 'status', 'phase') !== 'Bound') continue;
        const id = createHash('sha256')
          .update(`${text(csi.volumeHandle)}${attacher}${node}`)
          .digest('hex');
        found.set(`csi-${id}`, { attacher, volume });
      }
    }
    return found;
  };

  const detach = (node: string, attachment: KubeObject): void => {
    const { name } = attachment.metadata;
    const now = x.clock.now();
    const since = unneeded.get(name) ?? now;
    if (!unneeded.has(name)) unneeded.set(name, now);
    // A kubelet that nobody hears of may still have it mounted; one whose Node is gone has not.
    const isUnknown = !x.isAlive(node) && x.resources.of('Node').get({ name: node }) !== undefined;
    const takes = isUnknown ? FORCE_DETACH_MS : x.latency.sample('machine.volume.detach', () => node);
    const left = since + takes - now;
    if (left > 0) {
      x.engine.wakeAfter('attach-detach', node, left);
      return;
    }
    unneeded.delete(name);
    attachments().delete({ name });
  };

  return {
    name: 'attach-detach',
    sees: {
      pods: ({ object, previous }) => (claimsOf(object).length > 0 ? [nodeOf(object), nodeOf(previous ?? object)] : []),
      persistentvolumeclaims: ({ object }) =>
        at(object, 'status', 'phase') === 'Bound' ? nodesOf(x, keyOf(object)) : [],
      nodes: ({ type, object, previous }) =>
        type === 'DELETED' || (previous && record(previous.spec).taints !== record(object.spec).taints)
          ? [object.metadata.name]
          : [],
    },
    reconcile(node) {
      if (node === '') return;
      const needed = wanted(node);
      const there = attachments()
        .list()
        .filter((a) => at(a, 'spec', 'nodeName') === node);
      for (const [name, { attacher, volume }] of needed) {
        unneeded.delete(name);
        if (there.some((a) => a.metadata.name === name)) continue;
        attachments().create({
          apiVersion: 'storage.k8s.io/v1',
          kind: 'VolumeAttachment',
          metadata: { name, annotations: { 'csi.alpha.kubernetes.io/node-id': node } },
          spec: { attacher, nodeName: node, source: { persistentVolumeName: volume } },
        });
        attachments().patchStatus({ name }, { attached: true });
      }
      for (const a of there) if (!needed.has(a.metadata.name)) detach(node, a);
    },
  };
}

/** Nodes with pods that mount a claim. */
function nodesOf(x: Context, claim: string): string[] {
  const { namespace, name } = refOf(claim);
  return x.resources
    .of('Pod')
    .list(namespace === undefined ? {} : { namespace })
    .filter((p) => claimsOf(p).includes(name))
    .map(nodeOf);
}
