import type { KubeObject, OwnerReference } from '../../kubernetes/index.ts';
import { at, list, record, text } from '../../kubernetes/util/json.ts';

/** `namespace/name`, or the name of what is cluster-wide. */
export const keyOf = (o: KubeObject): string =>
  o.metadata.namespace ? `${o.metadata.namespace}/${o.metadata.name}` : o.metadata.name;

/** The object's namespace and name out of its key. */
export function refOf(key: string): { namespace?: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The owner that controls an object. */
export const controllerOf = (o: KubeObject): OwnerReference | undefined =>
  o.metadata.ownerReferences?.find((r) => r.controller);

/** A reference to an owner that controls. */
export const ownedBy = (o: KubeObject, apiVersion: string, kind: string): OwnerReference => ({
  apiVersion,
  kind,
  name: o.metadata.name,
  uid: o.metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

/** The status of a condition, or undefined. */
export function conditionOf(o: KubeObject, kind: string): string | undefined {
  for (const c of list(at(o, 'status', 'conditions'))) if (record(c).type === kind) return text(record(c).status);
  return undefined;
}

/** Whether a pod is Ready and not going. */
export const isPodReady = (pod: KubeObject): boolean =>
  !pod.metadata.deletionTimestamp && conditionOf(pod, 'Ready') === 'True';

/** Whether a pod still wants to run. */
export function isPodActive(pod: KubeObject): boolean {
  const phase = at(pod, 'status', 'phase');
  return !pod.metadata.deletionTimestamp && phase !== 'Succeeded' && phase !== 'Failed';
}

/** Ten letters that stand for a pod template, as in pod-template-hash. */
export function templateHash(template: unknown): string {
  const letters = 'bcdfghjklmnpqrstvwxz2456789';
  const input = JSON.stringify(template);
  let h = 0x811c9dc5;
  let k = 0x9747b28c;
  for (let i = 0; i < input.length; i++) {
    h = Math.imul(h ^ input.charCodeAt(i), 0x01000193);
    k = Math.imul(k ^ input.charCodeAt(i), 0x85ebca6b);
  }
  let out = '';
  for (let n = (BigInt(h >>> 0) << 32n) | BigInt(k >>> 0); out.length < 10; n /= 27n) out += letters[Number(n % 27n)];
  return out;
}

/** A share such as `25%` of `total`, or a plain number. */
export function shareOf(value: unknown, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = Number.parseFloat(text(value));
  if (Number.isNaN(percent)) return 0;
  return round === 'up' ? Math.ceil((percent * total) / 100) : Math.floor((percent * total) / 100);
}
