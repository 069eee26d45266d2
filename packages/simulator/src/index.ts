export { type ApiServer, type ApiServerOptions, createApiServer, type Intercepted } from './kubernetes/index.ts';
export { createRegistry, type Registry, RegistryFaults } from './registry/index.ts';
