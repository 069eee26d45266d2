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

/** A running simulator. */
export interface Simulator {
  daemon: Daemon;
  /** Base URL of its OpenStack. */
  openstackUrl: string;
  /** Base URL of its admin API. */
  adminUrl: string;
}

/** Starts the simulator: an OpenStack with an external network on loopback, and where wanted a management cluster's API. */
export async function startSimulator(o: {
  root: string;
  dir: string;
  node: string;
  env: Record<string, string>;
  openstackPort: number;
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
  return { daemon, openstackUrl: ready.openstack!, adminUrl: ready.admin! };
}
