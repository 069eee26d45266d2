/** The parts of the simulator that only tests within this repository take apart. */
export { checkOpenStackConfig } from '../../packages/simulator/src/config.ts';
export { SimulatorClock } from '../../packages/simulator/src/core/clock.ts';
export type { FaultRule } from '../../packages/simulator/src/core/faults.ts';
export { Random } from '../../packages/simulator/src/core/random.ts';
export { type ApiServer, createApiServer, type Intercepted } from '../../packages/simulator/src/kubernetes/index.ts';
export { SimulatedCluster } from '../../packages/simulator/src/machines/cluster/cluster.ts';
export { Machines } from '../../packages/simulator/src/machines/index.ts';
export { destroy, failMachine, startAction } from '../../packages/simulator/src/openstack/compute/lifecycle.ts';
export type { Server as SimulatedServer } from '../../packages/simulator/src/openstack/compute/state.ts';
export {
  createOpenStackSimulator,
  type OpenStackSimulator,
} from '../../packages/simulator/src/openstack/simulator.ts';
