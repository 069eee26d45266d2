import { type DeleteOptions, remove } from '../operations/delete.ts';
import type { Target } from '../operations/target.ts';
import { readyToGo } from '../operations/update.ts';
import { type Core, systemUser } from '../server-core.ts';
import { StatusError } from '../status.ts';
import type { Change } from '../store/store.ts';
import type { KubeObject, OwnerReference } from '../types.ts';
import type { Controller } from './controller.ts';

interface Key {
  table: string;
  namespace: string;
  name: string;
}

const keyOf = (table: string, o: KubeObject): string => `${table} ${o.metadata.namespace ?? ''}/${o.metadata.name}`;

/** Deletes what lost its owners, and carries out foreground and orphaning deletions. */
export class GarbageCollector implements Controller {
  private readonly core: Core;
  /** Owner's uid -> its dependents. */
  private readonly dependents = new Map<string, Map<string, Key>>();
  private readonly dirty = new Map<string, Key>();

  constructor(core: Core) {
    this.core = core;
    for (const { table, object } of core.store.all()) {
      this.index(table, object);
      if (object.metadata.deletionTimestamp || object.metadata.ownerReferences) this.mark(table, object);
    }
  }

  note(table: string, { type, object, previous }: Change): void {
    const { uid = '' } = object.metadata;
    if (previous?.metadata.ownerReferences) this.unindex(table, previous);
    if (type !== 'DELETED') {
      this.index(table, object);
      if (object.metadata.finalizers && object.metadata.deletionTimestamp) this.mark(table, object);
      if (object.metadata.ownerReferences && object.metadata.ownerReferences !== previous?.metadata.ownerReferences)
        this.mark(table, object);
      return;
    }
    for (const [key, dependent] of this.dependents.get(uid) ?? []) this.dirty.set(key, dependent);
    // An owner that waits in the foreground looks again when a dependent has gone.
    for (const owner of previous?.metadata.ownerReferences ?? [])
      this.markOwner(owner, previous?.metadata.namespace ?? '');
  }

  drain(): boolean {
    const keys = [...this.dirty.values()];
    this.dirty.clear();
    for (const { table, namespace, name } of keys) {
      const object = this.core.store.get(table, namespace, name);
      if (object) this.look(table, object);
    }
    return keys.length > 0;
  }

  private mark(table: string, o: KubeObject): void {
    this.dirty.set(keyOf(table, o), { table, namespace: o.metadata.namespace ?? '', name: o.metadata.name });
  }

  private markOwner(ref: OwnerReference, namespace: string): void {
    const served = this.core.registry.findKind(ref.apiVersion, ref.kind);
    if (!served) return;
    const owner = this.core.store.get(served.type.table, served.type.namespaced ? namespace : '', ref.name);
    if (owner) this.mark(served.type.table, owner);
  }

  private index(table: string, o: KubeObject): void {
    for (const { uid } of o.metadata.ownerReferences ?? []) {
      const known = this.dependents.get(uid) ?? new Map<string, Key>();
      known.set(keyOf(table, o), { table, namespace: o.metadata.namespace ?? '', name: o.metadata.name });
      this.dependents.set(uid, known);
    }
  }

  private unindex(table: string, o: KubeObject): void {
    for (const { uid } of o.metadata.ownerReferences ?? []) {
      const known = this.dependents.get(uid);
      known?.delete(keyOf(table, o));
      if (known?.size === 0) this.dependents.delete(uid);
    }
  }

  private look(table: string, object: KubeObject): void {
    if (object.metadata.deletionTimestamp) {
      if (object.metadata.finalizers?.includes('orphan')) this.orphan(table, object);
      else if (object.metadata.finalizers?.includes('foregroundDeletion')) this.foreground(table, object);
      return;
    }
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return;
    const namespace = object.metadata.namespace ?? '';
    const alive = owners.filter((o) => this.owner(o, namespace) !== 'absent');
    if (alive.length === owners.length) return;
    if (alive.length > 0) {
      this.core.store.put(table, { ...object, metadata: { ...object.metadata, ownerReferences: alive } });
      return;
    }
    const policy = object.metadata.finalizers?.includes('foregroundDeletion') ? 'Foreground' : 'Background';
    this.remove(table, object, { propagationPolicy: policy, preconditions: { uid: object.metadata.uid ?? '' } });
  }

  /** An owner of a kind that nobody serves counts as alive: its definition may come back. */
  private owner(ref: OwnerReference, namespace: string): KubeObject | 'absent' | 'unknown' {
    const served = this.core.registry.findKind(ref.apiVersion, ref.kind);
    if (!served) return 'unknown';
    const found = this.core.store.get(served.type.table, served.type.namespaced ? namespace : '', ref.name);
    return found && found.metadata.uid === ref.uid ? found : 'absent';
  }

  private orphan(table: string, owner: KubeObject): void {
    for (const { key, object } of this.dependentsOf(owner)) {
      const ownerReferences = (object.metadata.ownerReferences ?? []).filter((r) => r.uid !== owner.metadata.uid);
      const { ownerReferences: _, ...metadata } = object.metadata;
      this.core.store.put(key.table, {
        ...object,
        metadata: ownerReferences.length > 0 ? { ...metadata, ownerReferences } : metadata,
      });
    }
    this.dropFinalizer(table, owner, 'orphan');
  }

  private foreground(table: string, owner: KubeObject): void {
    let blocking = 0;
    for (const { key, object } of this.dependentsOf(owner)) {
      const ref = object.metadata.ownerReferences?.find((r) => r.uid === owner.metadata.uid);
      if (ref?.blockOwnerDeletion) blocking += 1;
      if (!object.metadata.deletionTimestamp) this.remove(key.table, object, { propagationPolicy: 'Foreground' });
    }
    // A dependent may have gone at once.
    if (
      blocking === 0 ||
      !this.dependentsOf(owner).some(({ object }) =>
        object.metadata.ownerReferences?.some((r) => r.uid === owner.metadata.uid && r.blockOwnerDeletion),
      )
    ) {
      this.dropFinalizer(table, owner, 'foregroundDeletion');
    }
  }

  private dependentsOf(owner: KubeObject): { key: Key; object: KubeObject }[] {
    const found: { key: Key; object: KubeObject }[] = [];
    for (const key of this.dependents.get(owner.metadata.uid ?? '')?.values() ?? []) {
      const object = this.core.store.get(key.table, key.namespace, key.name);
      if (object) found.push({ key, object });
    }
    return found;
  }

  private dropFinalizer(table: string, stale: KubeObject, finalizer: string): void {
    const { store } = this.core;
    const namespace = stale.metadata.namespace ?? '';
    const object = store.get(table, namespace, stale.metadata.name);
    if (!object) return;
    const finalizers = (object.metadata.finalizers ?? []).filter((f) => f !== finalizer);
    const next: KubeObject = { ...object, metadata: { ...object.metadata, finalizers } };
    if (readyToGo(next)) store.remove(table, namespace, object.metadata.name);
    else store.put(table, next);
  }

  private remove(table: string, object: KubeObject, o: DeleteOptions): void {
    const served = this.core.registry.findKind(object.apiVersion ?? '', object.kind ?? '');
    if (!served || served.type.table !== table) return;
    const target: Target = { ...served, namespace: object.metadata.namespace ?? '' };
    try {
      remove(this.core, target, { user: systemUser }, object.metadata.name, o);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
    }
  }
}
