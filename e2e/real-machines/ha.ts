import type { Machine } from '@shoto/api';
import { collect } from 'openstack-client-ts';
import { until } from '../poll.ts';
import { etcdIsHealthy } from './etcd.ts';
import { podsTalk } from './pods.ts';
import { type ClusterScene, expectThat, machinesOf, type Variant } from './scene.ts';
import { userDataIsClean } from './user-data.ts';

/** Three control planes that share an etcd, and one worker. */
export const ha: Variant = {
  title: '3 control planes and 1 worker behind a load balancer',
  args: ['--control-planes', '3', '--pool', 'default=1'],
  nodes: 4,
  look: async (scene) => {
    await joinedOneByOne(scene);
    await etcdIsHealthy(
      scene,
      scene.nodes.filter((n) => !n.includes('default')),
    );
    await endpointHasMembers(scene, 3);
    const workers = scene.nodes.filter((n) => n.includes('default'));
    await podsTalk(scene, [workers[0], scene.nodes.find((n) => !workers.includes(n))]);
    await userDataIsClean(scene);
  },
};

/** How kubeadm ran on a machine, in milliseconds by the machine's own clock; machines of one lab share theirs. Steps of less than 10 s are not stored. */
function kubeadmOf(m: Machine): { name: string; from: number | undefined; to: number; told: string } {
  const { steps = [], joinedAt } = m.status?.bootstrap ?? {};
  expectThat(joinedAt !== undefined, `${m.metadata.name} has not joined`);
  const step = steps.find((s) => s.name.startsWith('kubeadm-'));
  const from = step && Date.parse(step.startedAt);
  return {
    name: m.metadata.name,
    from,
    to: from === undefined ? Date.parse(joinedAt) : from + (step?.seconds ?? 0) * 1000,
    told: `${m.metadata.name} ${step ? `${step.name} ${step.seconds} s` : 'in less than 10 s'}`,
  };
}

async function joinedOneByOne(scene: ClusterScene): Promise<void> {
  const runs = (await machinesOf(scene))
    .filter((m) => m.spec.role === 'control-plane')
    .map(kubeadmOf)
    .sort((a, b) => a.to - b.to);
  for (const [i, run] of runs.slice(1).entries()) {
    const before = runs[i]!;
    expectThat(
      run.from === undefined || run.from >= before.to - 1000,
      `${run.name} began to join before ${before.name} was done`,
    );
  }
  scene.say(`control planes joined one after another: ${runs.map((r) => r.told).join(', ')}`);
}

async function endpointHasMembers({ world, say }: ClusterScene, wanted: number): Promise<void> {
  const { loadBalancers, pools, members } = world.cloud.loadBalancer;
  const addresses = await until(
    `${wanted} members of the load balancer`,
    async () => {
      const found: string[] = [];
      for (const lb of await collect(loadBalancers.list()))
        for (const pool of await collect(pools.list({ loadbalancer_id: lb.id })))
          for (const m of await collect(members.list(pool.id)))
            if (m.provisioning_status === 'ACTIVE' && m.admin_state_up) found.push(m.address);
      return found.length === wanted ? found : Promise.reject(new Error(found.join(', ')));
    },
    60_000,
  );
  say(`load balancer: ${addresses.length} members: ${addresses.join(', ')}`);
}
