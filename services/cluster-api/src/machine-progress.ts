import { type Condition, findCondition, isTrue, type Machine } from '@shoto/api';
import type { MachineStep } from './bootstrap-client.ts';
import { mergeSteps } from './live-steps.ts';

/** How far a machine is, as a person follows it. */
export interface MachineProgress {
  name: string;
  pool: string;
  /** What the cloud says of its server; `Pending` before there is one, `Deleting` when it goes. */
  server: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  /** What it does or waits for, in one line. */
  message: string;
  /** Its steps in order of time: those that run, those of the last minute, and of old ones those that failed or took long. */
  steps: MachineStep[];
}

/** What is wrong with a machine, where something is. One that installs Kubernetes has not joined, and nothing is wrong. */
export function troubleOf(m: Machine): Condition | undefined {
  const said = [
    findCondition(m.status?.server?.conditions, 'ServerReady'),
    findCondition(m.status?.bootstrap?.conditions, 'Joined'),
  ];
  return said.find((c) => c?.status === 'False' && c.reason !== 'Installing');
}

/** How far a machine is. Pure. */
export function machineProgress(m: Machine, live: readonly MachineStep[]): MachineProgress {
  const { server, bootstrap, health } = m.status ?? {};
  const leaves = m.metadata.deletionTimestamp !== undefined;
  const trouble = troubleOf(m);
  const has = isTrue(bootstrap?.conditions, 'Joined');
  const [state, message]: [MachineProgress['state'], string] = leaves
    ? ['running', 'is being removed']
    : trouble
      ? ['failed', trouble.message]
      : has && health?.ready
        ? ['done', 'its node is ready']
        : has
          ? ['running', 'joined; its node is not ready yet']
          : bootstrap?.ticketTakenAt
            ? ['running', 'installs Kubernetes']
            : server?.state === 'Active'
              ? ['running', 'boots']
              : server?.state
                ? ['running', 'its server is being built']
                : ['waiting', 'waits for its server'];
  return {
    name: m.metadata.name,
    pool: m.spec.pool,
    server: leaves ? 'Deleting' : (server?.state ?? 'Pending'),
    state,
    message,
    steps: mergeSteps(bootstrap?.steps ?? [], live),
  };
}
