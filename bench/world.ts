import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectionFromKubeconfig, KubeClient } from '@shoto/kube';
import { SERVICES, type System, startSystem } from '@shoto/supervisor';
import { type ManagementCluster, startManagementCluster } from '../e2e/lab/management-cluster.ts';
import { CAN_BE_LOOKED_INTO } from './heap.ts';
import type { BenchOptions } from './options.ts';
import { cpuOf, growth, type Processes, sumOf } from './processes.ts';
import { STORM_ENV } from './scenarios/storm-env.ts';

/** A running system, and what its management API costs and writes when nobody uses it. */
export interface BenchWorld {
  system: System;
  /** The management API as its administrator. */
  kube: KubeClient;
  /** Whether kube-apiserver is real, and counts requests itself. */
  countsItself: boolean;
  processes: Processes;
  empty: {
    /** CPU of API server and etcd, in percent of a core. */
    percent: number;
  };
  end(): Promise<void>;
}

/** Starts everything that is measured. */
export async function startBenchWorld(o: BenchOptions, say: (text: string) => void): Promise<BenchWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'shoto-bench-'));
  let management: ManagementCluster | undefined;
  let empty = { percent: 0 };
  if (o.kube === 'real') {
    say('starting etcd and kube-apiserver');
    management = await startManagementCluster({
      build: true,
      users: SERVICES.map((s) => ({ name: `shoto:${s}`, groups: [] })),
    });
    try {
      empty = await measureEmpty(management, o.emptySeconds, say);
    } catch (e) {
      await management.stop();
      throw e;
    }
  }
  try {
    const system = await startSystem({
      dir,
      ...(management ? { management } : {}),
      env: { NODE_OPTIONS: nodeOptions(o.profileDir), ...(o.scenario === 'storm' ? STORM_ENV : {}) },
      inlineAddons: ['flannel'],
      // Quotas are no part of what is measured.
      simulator: { openstack: { latency: { profile: o.latency }, quotas: { default: UNLIMITED } } },
      say: (what) => say(`starting ${what}`),
    });
    const kube = await administrator(system.managementKubeconfig);
    return {
      system,
      kube,
      countsItself: management !== undefined,
      processes: {
        ...Object.fromEntries(
          system.daemons.map((d) => [
            (SERVICES as readonly string[]).includes(d.name) ? `services/${d.name}` : d.name,
            d.pid,
          ]),
        ),
        ...management?.pids(),
      },
      empty,
      end: async () => {
        await kube.close();
        await system.stop();
        await management?.stop();
      },
    };
  } catch (e) {
    await management?.stop();
    throw e;
  }
}

const NONE = -1;
const UNLIMITED = {
  compute: { instances: NONE, cores: NONE, ram: NONE, server_groups: NONE, server_group_members: NONE },
  network: {
    network: NONE,
    subnet: NONE,
    port: NONE,
    router: NONE,
    floatingip: NONE,
    security_group: NONE,
    security_group_rule: NONE,
  },
  volume: { volumes: NONE, gigabytes: NONE },
};

/** Node writes a profile of each process into this folder when it ends. */
function nodeOptions(profileDir: string | undefined): string {
  if (!profileDir) return CAN_BE_LOOKED_INTO;
  mkdirSync(profileDir, { recursive: true });
  return `${CAN_BE_LOOKED_INTO} --cpu-prof --cpu-prof-dir=${profileDir}`;
}

const administrator = async (kubeconfig: string): Promise<KubeClient> =>
  new KubeClient({
    connection: await connectionFromKubeconfig({ text: kubeconfig }),
    userAgent: 'shoto-bench',
    requestTimeoutMs: 30_000,
  });

/** An API server is busy with itself for some seconds after it says ready. */
const SETTLE_MS = 10_000;

async function measureEmpty(
  management: ManagementCluster,
  seconds: number,
  say: (text: string) => void,
): Promise<BenchWorld['empty']> {
  say(`what the empty API server costs: ${seconds} s`);
  await sleep(SETTLE_MS);
  const before = cpuOf(management.pids());
  await sleep(seconds * 1000);
  return { percent: (sumOf(growth(before, cpuOf(management.pids()))) / seconds) * 100 };
}
