export { ApiServer, type ApiServerOptions, createApiServer, type Intercepted } from './api-server.ts';
export type { AuthenticationOptions } from './auth/authenticate.ts';
export type { LocalEvent, LocalRef, LocalResource, LocalType } from './local-client.ts';
export { StatusError } from './status.ts';
export type { Clock, KubeObject, ObjectMeta, OwnerReference, User } from './types.ts';
