export { Machines, type MachinesOptions } from './machines.ts';
