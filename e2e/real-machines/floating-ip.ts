import { collect } from 'openstack-client-ts';
import { podsTalk } from './pods.ts';
import { expectThat, type Variant } from './scene.ts';
import { ticketsAreSafe } from './tickets.ts';
import { userDataIsClean } from './user-data.ts';

/** The API on a floating IP that belongs to the cluster; no load balancer. Tickets and metadata are tried on its machines. */
export const floatingIp: Variant = {
  title: '1 control plane with a floating IP, and 1 worker',
  args: ['--pool', 'default=1'],
  nodes: 2,
  cloud: async (cloud) => ({ ...cloud, apiEndpoint: 'FloatingIP' }),
  look: async (scene) => {
    const { cloud } = scene.world;
    const ips = await collect(cloud.network.floatingIps.list());
    const balancers = await collect(cloud.loadBalancer.loadBalancers.list());
    const server = (await scene.kubectl(['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'])).trim();
    const own = ips.find((ip) => server === `https://${ip.floating_ip_address}:6443`);
    expectThat(own !== undefined, `${server} is not on a floating IP of the project`);
    expectThat(balancers.length === 0, `there is a load balancer: ${balancers.map((b) => b.name).join(', ')}`);
    scene.say(`API at ${server}, floating IP on ${own.fixed_ip_address}, no load balancer`);
    await podsTalk(scene, scene.nodes);
    await userDataIsClean(scene);
    await ticketsAreSafe(scene);
  },
};
