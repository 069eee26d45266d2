import type { KubeObject } from '../../kubernetes/index.ts';
import type { Store } from '../../kubernetes/store/store.ts';
import { at, text } from '../../kubernetes/util/json.ts';
import { controllerOf, keyOf } from './objects.ts';

const nodeOf = (pod: KubeObject): string => text(at(pod, 'spec', 'nodeName'));

/** The pods of a cluster by node and by owner, as they are now. */
export class PodIndex {
  readonly #byNode = new Map<string, Map<string, KubeObject>>();
  readonly #byOwner = new Map<string, Map<string, KubeObject>>();

  constructor(store: Store) {
    store.listen('pods', ({ type, object, previous }) => {
      if (previous) {
        drop(this.#byNode, nodeOf(previous), keyOf(previous));
        drop(this.#byOwner, controllerOf(previous)?.uid ?? '', keyOf(previous));
      }
      if (type === 'DELETED') return;
      put(this.#byNode, nodeOf(object), object);
      const owner = controllerOf(object)?.uid;
      if (owner) put(this.#byOwner, owner, object);
    });
  }

  onNode(node: string): KubeObject[] {
    return [...(this.#byNode.get(node)?.values() ?? [])];
  }

  /** Pods that no node has yet. */
  unbound(): KubeObject[] {
    return this.onNode('');
  }

  ofOwner(uid: string | undefined): KubeObject[] {
    return [...(this.#byOwner.get(uid ?? '')?.values() ?? [])];
  }
}

function put(index: Map<string, Map<string, KubeObject>>, key: string, pod: KubeObject): void {
  let found = index.get(key);
  if (!found) {
    found = new Map();
    index.set(key, found);
  }
  found.set(keyOf(pod), pod);
}

function drop(index: Map<string, Map<string, KubeObject>>, key: string, name: string): void {
  const found = index.get(key);
  found?.delete(name);
  if (found?.size === 0) index.delete(key);
}
