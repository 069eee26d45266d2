import { create } from './operations/create.ts';
import { type Deleted, type DeleteOptions, remove } from './operations/delete.ts';
import { type ListQuery, listPage, selectorOf } from './operations/list.ts';
import { type Target, toVersion } from './operations/target.ts';
import { update } from './operations/update.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { type Call, type Core, systemUser } from './server-core.ts';
import { notFound } from './status.ts';
import type { Json, KubeObject } from './types.ts';

/** Which kind a local resource is. */
export interface LocalType {
  group: string;
  version: string;
  plural: string;
}

/** Names one object; namespace only for namespaced kinds. */
export interface LocalRef {
  namespace?: string;
  name: string;
}

/** One change seen by a local watch; `previous` is undefined for ADDED. */
export interface LocalEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: KubeObject;
  previous: KubeObject | undefined;
}

/**
 * Direct, synchronous access to one kind for the simulation's own kubelets and controllers: validation, defaults, generation, finalizers and
 * watches as over HTTP, but no authorisation, no webhooks and no managedFields. Objects handed out are shared: clone before changing.
 * Everything that fails throws a StatusError.
 */
export class LocalResource {
  private readonly core: Core;
  private readonly type: LocalType;
  private readonly call: Call;

  constructor(core: Core, type: LocalType, call: Call = { user: systemUser, fieldValidation: 'Ignore' }) {
    this.core = core;
    this.type = type;
    this.call = call;
  }

  /** The object, or undefined. */
  get(ref: LocalRef): KubeObject | undefined {
    const target = this.target(ref.namespace);
    const found = this.core.store.get(target.type.table, target.namespace, ref.name);
    return found && toVersion(target, found);
  }

  /** All selected objects, of one namespace or of all. */
  list(q: { namespace?: string } & Pick<ListQuery, 'labelSelector' | 'fieldSelector'> = {}): KubeObject[] {
    return listPage(this.core, this.target(q.namespace), q).items;
  }

  create(object: KubeObject | Json): KubeObject {
    const namespace = (object as KubeObject).metadata?.namespace;
    return create(this.core, this.target(namespace), this.call, object);
  }

  /** Replaces the object; `change` gets a copy to change. Never conflicts: nothing runs in between. */
  update(ref: LocalRef, change: (copy: KubeObject) => void, subresource?: 'status'): KubeObject {
    const changed = (copy: KubeObject): KubeObject => {
      change(copy);
      return copy;
    };
    return update(this.core, this.target(ref.namespace), this.call, ref.name, changed, {
      unconditional: true,
      ...(subresource ? { subresource } : {}),
    });
  }

  /** A merge patch of the object without its status. */
  patch(ref: LocalRef, patch: Json): KubeObject {
    return update(this.core, this.target(ref.namespace), this.call, ref.name, (live) => applyMergePatch(live, patch), {
      unconditional: true,
    });
  }

  /** A merge patch of `status`. */
  patchStatus(ref: LocalRef, status: Json): KubeObject {
    return update(
      this.core,
      this.target(ref.namespace),
      this.call,
      ref.name,
      (live) => applyMergePatch(live, { status }),
      { unconditional: true, subresource: 'status' },
    );
  }

  /** Deletes or marks the object; undefined when there is none. */
  delete(ref: LocalRef, o: DeleteOptions = {}): Deleted | undefined {
    const target = this.target(ref.namespace);
    if (!this.core.store.get(target.type.table, target.namespace, ref.name)) return undefined;
    return remove(this.core, target, this.call, ref.name, o);
  }

  /**
   * Calls back with every selected object now (ADDED), then with every later change, at once and in order. A callback must not write to the server
   * in the same turn: it would overtake the other watchers.
   * @returns ends the watch
   */
  watch(
    onEvent: (event: LocalEvent) => void,
    q: { namespace?: string; labelSelector?: string; fieldSelector?: string; initial?: boolean } = {},
  ): () => void {
    const target = this.target(q.namespace);
    const selects = selectorOf(target, q);
    if (q.initial !== false) for (const object of this.list(q)) onEvent({ type: 'ADDED', object, previous: undefined });
    return this.core.store.listen(target.type.table, ({ type, object, previous }) => {
      if (q.namespace !== undefined && q.namespace !== '' && object.metadata.namespace !== q.namespace) return;
      const before = previous !== undefined && (!selects || selects(previous));
      const now = type !== 'DELETED' && (!selects || selects(object));
      if (!before && !now) return;
      onEvent({
        type: now ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED',
        object: toVersion(target, object),
        previous: previous && toVersion(target, previous),
      });
    });
  }

  private target(namespace: string | undefined): Target {
    const { group, version, plural } = this.type;
    const served = this.core.registry.find(group, version, plural);
    if (!served)
      throw notFound({ group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' }, `${plural}.${group}`);
    return { ...served, namespace: served.type.namespaced ? (namespace ?? '') : '' };
  }
}
