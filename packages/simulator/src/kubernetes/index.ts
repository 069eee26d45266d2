export { ApiServer, type ApiServerOptions, createApiServer, type Intercepted } from './api-server.ts';
export type { LocalResource, LocalType } from './local-client.ts';
export { StatusError } from './status.ts';
export type { KubeObject, OwnerReference } from './types.ts';
