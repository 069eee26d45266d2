import { isObject, type Json, type JsonObject } from '../json.ts';
import type { Manifest } from '../render/object.ts';

/** A pod that an object is, or makes. */
export interface Pod {
  spec: JsonObject;
  /** Path of the spec in the object. */
  path: PropertyKey[];
}

/** A container of a pod. */
export interface Container {
  name: string;
  container: JsonObject;
  path: PropertyKey[];
  isInit: boolean;
}

const at = (o: unknown, path: PropertyKey[]): Json | undefined =>
  path.reduce<Json | undefined>((v, key) => (isObject(v) ? v[String(key)] : undefined), o as Json);

const TEMPLATES: Record<string, PropertyKey[]> = {
  Pod: ['spec'],
  PodTemplate: ['template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};
const WORKLOADS = ['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'ReplicationController', 'Job'];

/** The pod of a workload of Kubernetes itself; undefined for everything else. */
export function podOf(o: Manifest): Pod | undefined {
  const path = TEMPLATES[o.kind] ?? (WORKLOADS.includes(o.kind) ? ['spec', 'template', 'spec'] : undefined);
  const spec = path && at(o, path);
  return path && isObject(spec) ? { spec, path } : undefined;
}

/** Containers of a pod, those that begin it too. */
export function containersOf(pod: Pod): Container[] {
  return ['initContainers', 'containers'].flatMap((field) => {
    const list = pod.spec[field];
    return (Array.isArray(list) ? list : []).flatMap((container, i): Container[] =>
      isObject(container)
        ? [
            {
              name: String(container.name ?? i),
              container,
              path: [...pod.path, field, i],
              // One that goes on beside the others is no beginning.
              isInit: field === 'initContainers' && container.restartPolicy !== 'Always',
            },
          ]
        : [],
    );
  });
}
