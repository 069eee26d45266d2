export { type ApiServer, type ApiServerOptions, createApiServer, type Intercepted } from './kubernetes/index.ts';
