export { ApiServer, type ApiServerOptions, createApiServer, type Intercepted, type Passage } from './api-server.ts';
export type { DeprecatedApi } from './http/deprecated-apis.ts';
export { type ExecRequest, type Executed, handleExec } from './http/remote-command.ts';
export type { LocalResource, LocalType } from './local-client.ts';
export { StatusError } from './status.ts';
export type { KubeObject, OwnerReference } from './types.ts';
