/** How a kind of object is reached in a Kubernetes API. */
export interface ResourceType {
  /** API group; '' is the core group. */
  group: string;
  version: string;
  /** The name in paths, plural and lower case: `machines`. */
  plural: string;
  kind: string;
  namespaced: boolean;
}

/** A reference from an object to the one that owns it. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Metadata of an object as far as Shoto reads it. */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  /** Opaque, except that a greater one of the same API server is newer (Kubernetes 1.35 guarantees it). */
  resourceVersion?: string;
  /** Moves with each change of the spec. */
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  /** RFC 3339. */
  creationTimestamp?: string;
  /** RFC 3339; set while the object waits for its finalizers. */
  deletionTimestamp?: string;
  managedFields?: unknown[];
}

/** The least that all objects have. */
export interface HasMeta {
  metadata: ObjectMeta;
}

/** Any object, its other fields unknown. */
export interface KubeObject extends HasMeta {
  apiVersion?: string;
  kind?: string;
  [field: string]: unknown;
}

/** Where an object is. */
export interface ObjectRef {
  /** Left out for cluster-scoped kinds. */
  namespace?: string | undefined;
  name: string;
}

/** One operation of a JSON patch (RFC 6902). */
export type JsonPatchOp =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }
  | { op: 'move' | 'copy'; from: string; path: string };

/** One page of a list. */
export interface Page<T> {
  items: T[];
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
}

/** What to list. */
export interface ListQuery {
  /** All namespaces if left out. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** What an object is cut down to by the server where only metadata is asked for: the names of its fields, and who owns them, are in it; no value is. */
export const METADATA_ONLY = {
  list: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  watch: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
} as const;

/** The key of an object: `namespace/name`, or `name` for a cluster-scoped one. */
export function keyOf(object: HasMeta): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

/** The reference that a key stands for; the reverse of {@link keyOf}. */
export function refOf(key: string): ObjectRef {
  const at = key.indexOf('/');
  return at < 0 ? { name: key } : { namespace: key.slice(0, at), name: key.slice(at + 1) };
}

/** `v1` for the core group, `group/version` for others. */
export function apiVersionOf(type: ResourceType): string {
  return type.group ? `${type.group}/${type.version}` : type.version;
}

/** Options of one call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** Default: the client's. */
  timeoutMs?: number;
}

/** Options of a write. */
export interface WriteOptions extends CallOptions {
  /** Admission, defaults and validation run, nothing is stored. Default false. */
  dryRun?: boolean;
  /** Who owns the fields, in `managedFields`. Default: by the user agent. */
  fieldManager?: string;
}
