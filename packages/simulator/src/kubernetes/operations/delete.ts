import type { Call, Core } from '../server-core.ts';
import { conflict, forbidden } from '../status.ts';
import { type KubeObject, rfc3339 } from '../types.ts';
import { at } from '../util/json.ts';
import { read, type Target, toVersion } from './target.ts';
import { readyToGo } from './update.ts';

/** metav1.DeleteOptions, as far as they count here. */
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: string;
  orphanDependents?: boolean;
  preconditions?: { uid?: string; resourceVersion?: string };
}

/** What became of the object: removed at once, or marked and waiting for finalizers or its grace period. */
export interface Deleted {
  gone: boolean;
  object: KubeObject;
}

const kept = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);
const gcFinalizers = ['orphan', 'foregroundDeletion'];

function wantedFinalizers(live: KubeObject, o: DeleteOptions): string[] {
  const others = (live.metadata.finalizers ?? []).filter((f) => !gcFinalizers.includes(f));
  const orphan = o.orphanDependents === true || o.propagationPolicy === 'Orphan';
  const foreground = o.propagationPolicy === 'Foreground';
  const unsaid = o.orphanDependents === undefined && o.propagationPolicy === undefined;
  if (unsaid) return live.metadata.finalizers ?? [];
  return orphan ? [...others, 'orphan'] : foreground ? [...others, 'foregroundDeletion'] : others;
}

/** Seconds that a pod gets to stop; 0 for what no kubelet has, or what has ended. */
function graceOf(target: Target, live: KubeObject, o: DeleteOptions): number {
  if (target.type.table !== 'pods') return 0;
  const phase = at(live, 'status', 'phase');
  if (!at(live, 'spec', 'nodeName') || phase === 'Succeeded' || phase === 'Failed') return 0;
  const own = at(live, 'spec', 'terminationGracePeriodSeconds');
  const asked = o.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30);
  return Math.max(0, asked);
}

/**
 * Deletes one object, or marks it.
 * @throws {StatusError} 404; 409 when a precondition fails; 403 for the namespaces that Kubernetes needs
 */
export function remove(core: Core, target: Target, call: Call, name: string, o: DeleteOptions = {}): Deleted {
  const { type } = target;
  const live = read(core, target, name);
  const { uid, resourceVersion } = live.metadata;
  const wanted = o.preconditions ?? {};
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    throw conflict(
      type,
      name,
      `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw conflict(
      type,
      name,
      `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
  }
  if (type.table === 'namespaces' && kept.has(name)) throw forbidden(type, name, 'this namespace may not be deleted');

  const grace = graceOf(target, live, o);
  const already = live.metadata.deletionTimestamp !== undefined;
  const finalizers = wantedFinalizers(live, o);
  const shorter = already && grace < (live.metadata.deletionGracePeriodSeconds ?? 0);
  const metadata = { ...live.metadata };
  if (!already || shorter) {
    metadata.deletionTimestamp = rfc3339(core.clock.now() + grace * 1000);
    metadata.deletionGracePeriodSeconds = grace;
  }
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  // As in Kubernetes: the wish to be deleted is part of the spec.
  if (!already && metadata.generation !== undefined) metadata.generation += 1;
  const next: KubeObject = { ...live, metadata };
  if (type.table === 'namespaces') next.status = { ...(live.status as object), phase: 'Terminating' };
  if (readyToGo(next)) {
    if (call.dryRun) return { gone: true, object: toVersion(target, live) };
    return { gone: true, object: toVersion(target, core.store.remove(type.table, target.namespace, name) ?? live) };
  }
  const unchanged = already && !shorter && finalizers.join() === (live.metadata.finalizers ?? []).join();
  if (unchanged || call.dryRun) return { gone: false, object: toVersion(target, next) };
  return { gone: false, object: toVersion(target, core.store.put(type.table, next)) };
}
