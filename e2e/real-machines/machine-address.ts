import type { Cloud } from '@shoto/supervisor';
import { cloudFromText, collect, createClient, type OpenStack } from 'openstack-client-ts';
import { $ } from 'zx';
import { podsTalk } from './pods.ts';
import { expectThat, type Variant } from './scene.ts';
import { userDataIsClean } from './user-data.ts';

const NAME = 'e2e-routable';
const CIDR = '10.77.0.0/24';

let admin: OpenStack | undefined;

/**
 * The API on the control-plane machine's own address. The lab's administrator makes a shared network for it, and this host
 * gets a route to that network by its router, as a routable network has it. Only in the lab.
 */
export const machineAddress: Variant = {
  title: '1 control plane that is reached at its own address on a shared network, and 1 worker',
  args: ['--pool', 'default=1'],
  nodes: 2,
  cloud: async (cloud) => {
    expectThat(
      !process.env.E2E_CLOUDS_FILE,
      'VARIANT=machine-address changes routes of this host: it is for the lab only',
    );
    admin = createClient(await cloudFromText(cloud.cloudsYaml, 'admin'));
    await removeNetwork(admin);
    const gateway = await makeNetwork(admin, cloud);
    await $({ quiet: true })`ip route replace ${CIDR} via ${gateway}`;
    return { ...cloud, apiEndpoint: 'MachineAddress', sharedNetwork: NAME };
  },
  look: async (scene) => {
    const { cloud } = scene.world;
    const server = (await scene.kubectl(['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'])).trim();
    expectThat(/^https:\/\/10\.77\.0\.\d+:6443$/.test(server), `${server} is no address on the shared network`);
    const project = await cloud.projectId();
    const own = (all: { project_id: string }[]) => all.filter((i) => i.project_id === project).length;
    const ips = own(await collect(cloud.network.floatingIps.list()));
    const routers = own(await collect(cloud.network.routers.list()));
    const balancers = (await collect(cloud.loadBalancer.loadBalancers.list())).length;
    expectThat(
      ips + routers + balancers === 0,
      `the cluster made ${ips} floating IPs, ${routers} routers, ${balancers} load balancers`,
    );
    scene.say(`API at ${server}; no floating IP, router or load balancer of the project`);
    await podsTalk(scene, scene.nodes);
    await userDataIsClean(scene);
  },
  end: async () => {
    if (!admin) return;
    await $({ quiet: true, nothrow: true })`ip route del ${CIDR}`;
    await removeNetwork(admin);
    await admin.close();
  },
};

/** The network that all machines are put on, with a router; answers with the router's address on the outside. */
async function makeNetwork({ network: n }: OpenStack, cloud: Cloud): Promise<string> {
  const external = (await collect(n.networks.list({ name: cloud.externalNetwork })))[0];
  expectThat(external !== undefined, `there is no network ${cloud.externalNetwork}`);
  const made = await n.networks.create({ name: NAME, shared: true });
  const subnet = await n.subnets.create({
    network_id: made.id,
    ip_version: 4,
    cidr: CIDR,
    name: NAME,
    enable_dhcp: true,
  });
  const router = await n.routers.create({ name: NAME, external_gateway_info: { network_id: external.id } });
  await n.routers.addInterface(router.id, { subnet_id: subnet.id });
  const gateway = router.external_gateway_info?.external_fixed_ips?.[0]?.ip_address;
  expectThat(gateway !== undefined, `the router ${NAME} has no address on ${cloud.externalNetwork}`);
  return gateway;
}

async function removeNetwork({ network: n }: OpenStack): Promise<void> {
  for (const router of await collect(n.routers.list({ name: NAME }))) {
    for (const port of await collect(n.ports.list({ device_id: router.id })))
      if (port.device_owner === 'network:router_interface')
        await n.routers.removeInterface(router.id, { port_id: port.id });
    await n.routers.delete(router.id);
  }
  for (const network of await collect(n.networks.list({ name: NAME }))) await n.networks.delete(network.id);
}
