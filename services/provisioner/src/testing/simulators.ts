export { checkOpenStackConfig } from '../../../../packages/simulator/src/config.ts';
export { createApiServer } from '../../../../packages/simulator/src/kubernetes/index.ts';
export {
  createOpenStackSimulator,
  type OpenStackSimulator,
} from '../../../../packages/simulator/src/openstack/simulator.ts';
