export { createApiServer } from '@shoto/simulator';
export { checkOpenStackConfig } from '../../../../packages/simulator/src/config.ts';
export type { FaultAction } from '../../../../packages/simulator/src/core/faults.ts';
export {
  createOpenStackSimulator,
  type OpenStackSimulator,
} from '../../../../packages/simulator/src/openstack/simulator.ts';
