import { get } from 'node:http';
import { EVENTS, type HasMeta } from '@shoto/kube';
import { collect, ignoreNotFound, type LoadBalancerInfo } from 'openstack-client-ts';
import { until } from '../../poll.ts';
import { clusterOf } from '../cattle/look.ts';
import { deployWorkload, WORKLOAD } from '../cattle/workload.ts';
import { type ClusterScene, expectThat, type Scene } from '../scene.ts';

const NAME = 'public';
const ANSWER_MS = 3_000;
/** How many requests in a row one pod has to answer before it is believed to be the only one. */
const IN_A_ROW = 20;

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: NAME },
  spec: { type: 'LoadBalancer', selector: { app: WORKLOAD }, ports: [{ port: 80, targetPort: 8080 }] },
};

interface Service {
  status?: { loadBalancer?: { ingress?: { ip?: string }[] } };
}
interface Event extends HasMeta {
  reason?: string;
  note?: string;
}

/**
 * A Service of type LoadBalancer gets an address in front of the cluster and answers over it, from pods of every worker; with `externalTrafficPolicy: Local` only nodes with a
 * pod are sent to. It stays: what it has in the cloud goes with the cluster.
 */
export async function serviceIsBalanced(scene: ClusterScene): Promise<void> {
  const { kubectl, say } = scene;
  const credential = (await clusterOf(scene)).status?.infrastructure.addonCredentials?.current;
  expectThat(credential !== undefined, 'the addons of the cluster have no credential');
  say(`application credential ${credential.id}, ${credential.accessRules ? 'with' : 'without'} access rules`);
  expectThat(credential.accessRules || !scene.lab, 'services of the lab take access rules');
  await deployWorkload(scene);
  const began = Date.now();
  await kubectl(['apply', '-f', '-'], JSON.stringify(service));
  const address = await until('an address of the Service', () => addressOf(scene), 300_000, 1_000);
  say(`service/${NAME} has the address ${address} after ${((Date.now() - began) / 1000).toFixed(0)} s`);
  const lb = await balancerOf(scene, address);
  scene.onceGone(() => isGone(scene, lb, address));
  const both = await until('an answer of each pod', () => podsBehind(address, 10, 2), 120_000, 500);
  say(`http://${address}/ answers: ${both.join(', ')}`);

  await kubectl(['patch', 'service', NAME, '--type=merge', '-p', '{"spec":{"externalTrafficPolicy":"Local"}}']);
  await until('members that are asked for their pods', () => areAskedForPods(scene, lb), 120_000, 1_000);
  await kubectl(['scale', `deployment/${WORKLOAD}`, '--replicas=1']);
  await until('answers of the only pod, all of them', () => podsBehind(address, IN_A_ROW, 1), 180_000, 1_000);
  say(`externalTrafficPolicy: Local, one pod: ${IN_A_ROW} requests in a row answered, the other node gets none`);
  await kubectl(['scale', `deployment/${WORKLOAD}`, '--replicas=2']);
}

async function addressOf({ kubectl }: ClusterScene): Promise<string> {
  const { status } = JSON.parse(await kubectl(['get', 'service', NAME, '-o', 'json'])) as Service;
  const ip = status?.loadBalancer?.ingress?.[0]?.ip;
  if (ip !== undefined) return ip;
  const events = await kubectl(['get', 'events', '--field-selector', `involvedObject.name=${NAME}`, '--no-headers']);
  throw new Error(`events of it:\n${events}`);
}

/** The load balancer behind an address: it carries the cluster's UID, and workers are its members, control planes not. */
async function balancerOf(scene: ClusterScene, address: string): Promise<LoadBalancerInfo> {
  const { loadBalancer, network } = scene.world.cloud;
  const name = `kube_service_${(await clusterOf(scene)).metadata.uid}_default_${NAME}`;
  const lb = (await collect(loadBalancer.loadBalancers.list({ name })))[0];
  expectThat(lb !== undefined, `there is no load balancer ${name}`);
  const [ip] = await collect(network.floatingIps.list({ port_id: lb.vip_port_id }));
  expectThat(ip?.floating_ip_address === address, `its floating IP is ${ip?.floating_ip_address}, not ${address}`);
  const pools = await collect(loadBalancer.pools.list({ loadbalancer_id: lb.id }));
  const members = (await Promise.all(pools.map((p) => collect(loadBalancer.members.list(p.id))))).flat();
  const workers = (
    await scene.kubectl([
      'get',
      'nodes',
      '-l',
      '!node-role.kubernetes.io/control-plane',
      '-o',
      'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}',
    ])
  ).split(' ');
  expectThat(
    String(members.map((m) => m.address).sort()) === String(workers.sort()),
    `members of its pool: ${members.map((m) => m.address)}; workers: ${workers}`,
  );
  scene.say(`load balancer ${lb.id}: ${lb.provisioning_status}, members ${workers.join(', ')}`);
  return lb;
}

/** Whether the load balancer asks each node on the port where kube-proxy says if it has a pod of the Service. */
async function areAskedForPods({ kubectl, world }: ClusterScene, lb: LoadBalancerInfo): Promise<true> {
  const { pools, members, healthMonitors } = world.cloud.loadBalancer;
  const port = Number(await kubectl(['get', 'service', NAME, '-o', 'jsonpath={.spec.healthCheckNodePort}']));
  const [pool] = await collect(pools.list({ loadbalancer_id: lb.id }));
  expectThat(pool !== undefined, `${lb.name} has no pool`);
  const [monitor] = await collect(healthMonitors.list({ pool_id: pool.id }));
  const ports = (await collect(members.list(pool.id))).map((m) => m.monitor_port);
  if (monitor?.type === 'HTTP' && ports.length > 0 && ports.every((p) => p === port)) return true;
  throw new Error(`monitor ${monitor?.type}, asked on ${ports.join(', ')}; kube-proxy answers on ${port}`);
}

/**
 * Names of the pods that answered.
 *
 * @throws {Error} when a request got no good answer, or others than so many pods answered
 */
async function podsBehind(address: string, requests: number, pods: number): Promise<string[]> {
  const names = new Set<string>();
  for (let i = 0; i < requests; i++) names.add((await ask(address)).replace('hello from ', '').trim());
  if (names.size !== pods) throw new Error(`${names.size} pods answered: ${[...names].join(', ')}`);
  return [...names].sort();
}

/** One request on a connection of its own, so that each is balanced. */
const ask = (address: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = get({ host: address, agent: false, timeout: ANSWER_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`${address}: ${answer.statusCode}`)),
      );
      answer.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`no answer of ${address} in ${ANSWER_MS / 1000} s`)));
    call.on('error', reject);
  });

/** Nothing of it is left, and the cluster itself let go of it: nobody had to sweep after it. */
async function isGone({ world, say }: Scene, lb: LoadBalancerInfo, address: string): Promise<void> {
  const { loadBalancer, network } = world.cloud;
  const found = await ignoreNotFound(loadBalancer.loadBalancers.get(lb.id));
  expectThat(!found || found.provisioning_status === 'DELETED', `${lb.name} is ${found?.provisioning_status}`);
  expectThat((await ignoreNotFound(network.ports.get(lb.vip_port_id))) === undefined, `port ${lb.vip_port_id} is left`);
  const ips = await collect(network.floatingIps.list({ floating_ip_address: address }));
  expectThat(ips.length === 0, `floating IP ${address} is left`);
  // Octavia keeps it in a project of its own.
  const groups = await collect(world.cloudAdmin.network.securityGroups.list({ name: `lb-${lb.id}` }));
  expectThat(groups.length === 0, `security group lb-${lb.id} is left`);
  const swept = (await world.management.listAll<Event>(EVENTS)).filter((e) => e.reason?.startsWith('Leaving'));
  expectThat(swept.length === 0, `the cluster did not let go by itself: ${swept.map((e) => e.note).join('; ')}`);
  say(`load balancer, address, port and security group of service/${NAME} went with the cluster`);
}
