import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Daemon, readyLine, startDaemon } from './daemon.ts';

/** What the simulator is told, besides what the supervisor decides (addresses, certificates). */
export interface SimulatorOptions {
  /** Parts of its OpenStack configuration: latency, faults, quotas, seed, ... */
  openstack?: Record<string, unknown>;
  /** Parts of its configuration of machines. */
  machines?: Record<string, unknown>;
}

/**
 * A simulated cloud to look at: everything takes a moment, so that its steps are seen (states that others poll for last longer than
 * a poll), and a cluster is still ready within some fifteen seconds. Beside the zones of our own there is `nova`, which clients expect.
 */
export const LIFELIKE: SimulatorOptions = {
  openstack: {
    zones: ['nova', 'az1', 'az2', 'az3'].map((name) => ({ name })),
    latency: {
      operations: {
        'nova.server.boot': { medianMs: 1500 },
        'nova.server.destroy': { medianMs: 1000 },
        'nova.server.stop': { medianMs: 2500 },
        'nova.server.start': { medianMs: 1200 },
        'nova.server.reboot': { medianMs: 2500 },
        'octavia.loadbalancer.provision': { medianMs: 1000 },
        'machine.boot': { medianMs: 2000 },
        'machine.kubeadm.init': { medianMs: 4000 },
        'machine.kubeadm.join': { medianMs: 1500 },
        'machine.kubeadm.join-control-plane': { medianMs: 3000 },
        'machine.cni': { medianMs: 1000 },
      },
    },
  },
};

/** A running simulator. */
export interface Simulator {
  daemon: Daemon;
  /** Base URL of its OpenStack. */
  openstackUrl: string;
  /** Base URL of its admin API. */
  adminUrl: string;
  /** Base URL of its registry. */
  registryUrl: string;
}

/** Starts the simulator: an OpenStack with an external network on loopback, a registry, and where wanted a management cluster's API. */
export async function startSimulator(o: {
  root: string;
  dir: string;
  node: string;
  env: Record<string, string>;
  openstackPort: number;
  registryPort: number;
  externalCidr: string;
  /** Left out where the management cluster is a real one. */
  management?: { port: number; certFile: string; keyFile: string; tokensFile: string };
  options: SimulatorOptions;
}): Promise<Simulator> {
  const config = {
    openstack: {
      ...o.options.openstack,
      listen: { address: '127.0.0.1', port: o.openstackPort },
      externalNetwork: { name: 'public', cidr: o.externalCidr },
    },
    registry: { listen: { address: '127.0.0.1', port: o.registryPort }, dataDir: join(o.dir, 'registry') },
    ...(o.options.machines ? { machines: o.options.machines } : {}),
    ...(o.management
      ? {
          management: {
            listen: { address: '127.0.0.1', port: o.management.port },
            dataDir: join(o.dir, 'management'),
            certFile: o.management.certFile,
            keyFile: o.management.keyFile,
            tokensFile: o.management.tokensFile,
          },
        }
      : {}),
  };
  const file = join(o.dir, 'simulator.yaml');
  await writeFile(file, stringify(config), { mode: 0o600 });
  const { daemon, ready } = await startDaemon(
    {
      name: 'simulator',
      command: o.node,
      args: [join(o.root, 'packages/simulator/src/main.ts'), '--config', file],
      env: o.env,
      logFile: join(o.dir, 'logs', 'simulator.log'),
    },
    readyLine,
  );
  return { daemon, openstackUrl: ready.openstack!, adminUrl: ready.admin!, registryUrl: ready.registry! };
}
