import { remove } from '../operations/delete.ts';
import { type Core, newUid, systemUser } from '../server-core.ts';
import { StatusError } from '../status.ts';
import type { Change } from '../store/store.ts';
import { type KubeObject, rfc3339 } from '../types.ts';
import type { Controller } from './controller.ts';

/** Gives each namespace its service account `default` and the ConfigMap `kube-root-ca.crt`, and empties and removes deleted ones. */
export class NamespaceController implements Controller {
  private readonly core: Core;
  private readonly rootCa: string | undefined;
  private readonly dirty = new Set<string>();
  /** Namespaces on their way out; only their content's changes matter. */
  private readonly going = new Set<string>();

  constructor(core: Core, rootCa: string | undefined) {
    this.core = core;
    this.rootCa = rootCa;
    for (const namespace of core.store.scan('namespaces', undefined)) this.see(namespace);
    this.drain();
  }

  note(table: string, { type, object }: Change): void {
    if (table === 'namespaces') {
      if (type === 'DELETED') this.going.delete(object.metadata.name);
      else this.see(object);
      return;
    }
    const namespace = object.metadata.namespace ?? '';
    if (type === 'DELETED' && (this.going.has(namespace) || table === 'serviceaccounts')) this.dirty.add(namespace);
    // Content that came in while the namespace was being emptied, and finalizers that went.
    else if (this.going.has(namespace)) this.dirty.add(namespace);
  }

  drain(): boolean {
    const names = [...this.dirty];
    this.dirty.clear();
    for (const name of names) {
      const namespace = this.core.store.get('namespaces', '', name);
      if (!namespace) continue;
      if (namespace.metadata.deletionTimestamp) this.empty(namespace);
      else this.furnish(name);
    }
    return names.length > 0;
  }

  private see(namespace: KubeObject): void {
    this.dirty.add(namespace.metadata.name);
    if (namespace.metadata.deletionTimestamp) this.going.add(namespace.metadata.name);
  }

  private furnish(namespace: string): void {
    const { store, clock, random } = this.core;
    const metadata = (name: string) => ({
      name,
      namespace,
      uid: newUid(random),
      creationTimestamp: rfc3339(clock.now()),
    });
    if (!store.get('serviceaccounts', namespace, 'default')) {
      store.put('serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata('default') });
    }
    if (this.rootCa !== undefined && !store.get('configmaps', namespace, 'kube-root-ca.crt')) {
      store.put('configmaps', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          ...metadata('kube-root-ca.crt'),
          annotations: {
            'kubernetes.io/description':
              'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
          },
        },
        data: { 'ca.crt': this.rootCa },
      });
    }
  }

  private empty(namespace: KubeObject): void {
    const { store, registry } = this.core;
    const name = namespace.metadata.name;
    let left = 0;
    const seen = new Set<string>();
    for (const type of registry.types()) {
      const version = type.versions[0];
      if (!type.namespaced || !version || seen.has(type.table)) continue;
      seen.add(type.table);
      for (const object of [...store.scan(type.table, name)]) {
        if (!object.metadata.deletionTimestamp) {
          try {
            remove(this.core, { type, version, namespace: name }, { user: systemUser }, object.metadata.name, {
              propagationPolicy: 'Background',
            });
          } catch (error) {
            if (!(error instanceof StatusError)) throw error;
          }
        }
      }
      left += store.count(type.table, name);
    }
    if (left > 0) return;
    const others =
      (namespace.spec as { finalizers?: string[] } | undefined)?.finalizers?.filter((f) => f !== 'kubernetes') ?? [];
    if (others.length > 0 || (namespace.metadata.finalizers?.length ?? 0) > 0) {
      const same = (namespace.spec as { finalizers?: string[] }).finalizers?.length === others.length;
      if (!same)
        store.put('namespaces', { ...namespace, metadata: { ...namespace.metadata }, spec: { finalizers: others } });
      return;
    }
    store.remove('namespaces', '', name);
  }
}
