export { type Cloud, REGION, simulatedClouds, TENANT } from './cloud.ts';
export { type Daemon, isAlive } from './daemon.ts';
export { SERVICES, type ServiceName } from './identity.ts';
export { LIFELIKE } from './simulator.ts';
export { ROOT, type System, type SystemOptions, startSystem } from './system.ts';
