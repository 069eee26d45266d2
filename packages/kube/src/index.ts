export { KubeClient, type KubeClientOptions } from './client.ts';
export { type Connection, connectionFromKubeconfig, KubeconfigError } from './connection.ts';
export { type ErrorCause, KubeError } from './errors.ts';
export type { ExecResult } from './exec.ts';
export { countRequests } from './metrics.ts';
export type { Subresource } from './paths.ts';
export { type EventRecord, type Regarding, recordEvent } from './record-event.ts';
export { isNewer, Reflector, type ReflectorOptions } from './reflector.ts';
export type { Gate, RequestEvent } from './request-event.ts';
export * from './resources.ts';
export { connectionFromSecret } from './secret-connection.ts';
export {
  apiVersionOf,
  type CallOptions,
  type HasMeta,
  type JsonPatchOp,
  type KubeObject,
  keyOf,
  type ListQuery,
  type ObjectMeta,
  type ObjectRef,
  type OwnerReference,
  type Page,
  type ResourceType,
  refOf,
} from './types.ts';
export { WatchedObject, type WatchedObjectOptions } from './watched-object.ts';
export { WorkloadPool, type WorkloadPoolOptions } from './workload-pool.ts';
