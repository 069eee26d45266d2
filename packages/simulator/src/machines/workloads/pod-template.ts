import type { KubeObject } from '../../kubernetes/index.ts';
import { at, record } from '../../kubernetes/util/json.ts';
import { ownedBy } from './objects.ts';

/** A pod out of an owner's template. With `name` it has that name, else one that begins with the owner's. */
export function podFromTemplate(
  owner: KubeObject,
  gvk: { apiVersion: string; kind: string },
  o: { name?: string; labels?: Record<string, string>; spec?: Record<string, unknown> } = {},
): KubeObject {
  const template = at(owner, 'spec', 'template');
  const { labels, annotations } = record(at(template, 'metadata')) as {
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(o.name === undefined ? { name: '', generateName: `${owner.metadata.name}-` } : { name: o.name }),
      namespace: owner.metadata.namespace ?? '',
      labels: { ...labels, ...o.labels },
      ...(annotations ? { annotations } : {}),
      ownerReferences: [ownedBy(owner, gvk.apiVersion, gvk.kind)],
    },
    spec: { ...record(at(template, 'spec')), ...o.spec },
  };
}
