export { createApiServer } from '@shoto/simulator';
export { checkOpenStackConfig } from '../../../../packages/simulator/src/config.ts';
export {
  createOpenStackSimulator,
  type OpenStackSimulator,
} from '../../../../packages/simulator/src/openstack/simulator.ts';
