export { Machines } from './machines.ts';
