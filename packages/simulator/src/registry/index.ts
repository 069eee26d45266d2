export { RegistryFaults } from './faults.ts';
export { createRegistry, type Registry } from './registry.ts';
