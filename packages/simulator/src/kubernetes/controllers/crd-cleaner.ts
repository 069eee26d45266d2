import { acceptNames, crdTable as crds, isEstablished } from '../crd/names.ts';
import { crdFinalizer } from '../crd/strategy.ts';
import { remove } from '../operations/delete.ts';
import { readyToGo } from '../operations/update.ts';
import { type Core, systemUser } from '../server-core.ts';
import type { Change } from '../store/store.ts';
import { type KubeObject, rfc3339 } from '../types.ts';
import { list, record } from '../util/json.ts';
import type { Controller } from './controller.ts';

/** Removes the instances of a deleted CustomResourceDefinition, then lets it go; names that became free go to who waits for them. */
export class CrdCleaner implements Controller {
  private readonly core: Core;
  private readonly going = new Set<string>();
  private readonly dirty = new Set<string>();
  private namesFreed = false;

  constructor(core: Core) {
    this.core = core;
    for (const crd of core.store.scan(crds, undefined)) this.see(crd);
  }

  note(table: string, { type, object }: Change): void {
    if (table === crds) {
      if (type === 'DELETED') {
        this.going.delete(object.metadata.name);
        this.namesFreed = true;
      } else this.see(object);
    } else if (this.going.has(table)) this.dirty.add(table);
  }

  drain(): boolean {
    const names = [...this.dirty];
    this.dirty.clear();
    for (const name of names) this.clean(name);
    if (!this.namesFreed) return names.length > 0;
    this.namesFreed = false;
    this.establish();
    return true;
  }

  private establish(): void {
    const { store, clock } = this.core;
    for (const crd of [...store.scan(crds, undefined)]) {
      if (isEstablished(crd)) continue;
      const status = { ...record(crd.status), ...acceptNames(crd, store, rfc3339(clock.now())) };
      const next: KubeObject = { ...crd, metadata: { ...crd.metadata }, status };
      if (isEstablished(next)) store.put(crds, next);
    }
  }

  private see(crd: KubeObject): void {
    if (!crd.metadata.deletionTimestamp) return;
    this.going.add(crd.metadata.name);
    this.dirty.add(crd.metadata.name);
  }

  private clean(name: string): void {
    const { store, registry, clock } = this.core;
    const crd = store.get(crds, '', name);
    if (!crd?.metadata.deletionTimestamp || !crd.metadata.finalizers?.includes(crdFinalizer)) return;
    const type = registry.customType(name);
    const version = type?.versions[0];
    if (type && version) {
      for (const object of [...store.scan(name, undefined)]) {
        if (object.metadata.deletionTimestamp) continue;
        remove(
          this.core,
          { type, version, namespace: object.metadata.namespace ?? '' },
          { user: systemUser },
          object.metadata.name,
        );
      }
    }
    if (store.count(name) > 0) {
      const status = record(crd.status);
      const conditions = list(status.conditions);
      if (conditions.some((c) => record(c).type === 'Terminating')) return;
      const terminating = {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionInProgress',
        message: 'CustomResource deletion is in progress',
        lastTransitionTime: rfc3339(clock.now()),
      };
      store.put(crds, {
        ...crd,
        metadata: { ...crd.metadata },
        status: { ...status, conditions: [...conditions, terminating] },
      });
      return;
    }
    const finalizers = crd.metadata.finalizers.filter((f) => f !== crdFinalizer);
    const next: KubeObject = { ...crd, metadata: { ...crd.metadata, finalizers } };
    if (readyToGo(next)) store.remove(crds, '', name);
    else store.put(crds, next);
  }
}
