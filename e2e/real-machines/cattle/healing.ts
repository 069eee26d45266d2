import { findCondition, type Machine } from '@shoto/api';
import { $ } from 'zx';
import { until } from '../../poll.ts';
import { etcdIsHealthy } from '../etcd.ts';
import { type ClusterScene, expectThat, inside } from '../scene.ts';
import { machinesIn, settled, shoto } from './look.ts';
import type { Traffic } from './traffic.ts';

const MINUTES = 60_000;

const idOf = (m: Machine): string => {
  const id = m.status?.server.id;
  expectThat(id !== undefined, `${m.metadata.name} has no server`);
  return id;
};

/** Pulls the plug: by libvirt, behind Nova's back. */
async function powerOff({ world }: ClusterScene, machine: Machine): Promise<void> {
  const server = await world.cloudAdmin.compute.servers.get(idOf(machine));
  const domain = server['OS-EXT-SRV-ATTR:instance_name'];
  expectThat(typeof domain === 'string', `Nova does not say the libvirt domain of ${machine.metadata.name}`);
  await $({ quiet: true })`virsh -c lxc:/// destroy ${domain}`;
}

/** There is one to take over: the story may be told without those before it. */
async function withTwoWorkers(scene: ClusterScene): Promise<void> {
  if ((await machinesIn(scene, 'default')).length === 2) return;
  await shoto(scene, 'scale', 'web', '--pool', 'default=2', '--timeout', '15m');
  await settled(scene, 'default', 2, 10 * MINUTES);
}

/** A worker whose power goes is started again, and stays the machine that it was. */
export async function workerPoweredOff(scene: ClusterScene, traffic: Traffic): Promise<void> {
  await withTwoWorkers(scene);
  const worker = (await machinesIn(scene, 'default'))[0]!;
  traffic.take();
  await powerOff(scene, worker);
  scene.say(`${worker.metadata.name} powered off from outside`);
  await until(
    'the machine is seen to be down',
    async () => (await machinesIn(scene, 'default')).some((m) => m.status?.server.state === 'Stopped'),
    10 * MINUTES,
    1_000,
  );
  // That it runs again is not enough: its node says Ready from before for some time yet.
  const isOver = (m: Machine): boolean =>
    findCondition(m.status?.health.conditions, 'Remediation')?.reason === 'Recovered';
  const names = await settled(scene, 'default', 2, 10 * MINUTES, (machines) =>
    machines.some((m) => m.metadata.uid === worker.metadata.uid && isOver(m)),
  );
  const after = (await machinesIn(scene, 'default')).find((m) => m.metadata.name === worker.metadata.name);
  expectThat(after?.status?.server.id === idOf(worker), `${worker.metadata.name} was replaced, not started`);
  const { asked, failed } = traffic.take();
  scene.say(`started again by order ${after?.status?.server.handled}; workers ${names.join(', ')}`);
  scene.say(`${asked} requests, ${failed.length} failed while its power was off`);
}

/** A worker that no reboot mends is replaced. */
export async function workerBroken(scene: ClusterScene): Promise<void> {
  expectThat(scene.lab !== undefined, 'machines are broken from inside: in the lab only');
  await withTwoWorkers(scene);
  const worker = (await machinesIn(scene, 'default'))[0]!;
  const broken = await inside(scene.lab, worker, [
    'sh',
    '-c',
    'systemctl disable --now kubelet && rm /usr/bin/kubelet /etc/systemd/system/kubelet.service',
  ]);
  expectThat(broken.exitCode === 0, `the kubelet of ${worker.metadata.name} could not be taken away: ${broken.stderr}`);
  scene.say(`the kubelet of ${worker.metadata.name} is gone for good`);
  await until(
    'the machine goes',
    async () => !(await machinesIn(scene, 'default')).some((m) => m.metadata.uid === worker.metadata.uid),
    30 * MINUTES,
    1_000,
  );
  const names = await settled(scene, 'default', 2, 10 * MINUTES);
  scene.say(`replaced: workers ${names.join(', ')}`);
}

/** One of three control planes is destroyed: it is replaced, and etcd has three healthy members again. */
export async function controlPlaneDestroyed(scene: ClusterScene): Promise<void> {
  const [victim] = await machinesIn(scene, 'control-plane');
  await scene.world.cloudAdmin.compute.servers.delete(idOf(victim!));
  scene.say(`the server of ${victim!.metadata.name} was deleted behind our back`);
  await until(
    'the machine goes',
    async () => !(await machinesIn(scene, 'control-plane')).some((m) => m.metadata.uid === victim!.metadata.uid),
    20 * MINUTES,
    1_000,
  );
  const names = await settled(scene, 'control-plane', 3, 15 * MINUTES);
  await etcdIsHealthy(scene, names);
  scene.say(`replaced: control planes ${names.join(', ')}`);
}
