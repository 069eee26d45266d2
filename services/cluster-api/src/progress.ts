import { ANNOTATIONS, type Cluster, type Condition, findCondition, isTrue, type Machine } from '@shoto/api';
import type { StepsByMachine } from './live-steps.ts';
import { type MachineProgress, machineProgress, troubleOf } from './machine-progress.ts';

/** One step on the way of a Cluster, as a person follows it. */
export interface Step {
  /** Stable name, for programs. */
  name: 'network' | 'endpoint' | 'machines' | 'control-plane' | 'addons' | 'nodes' | 'upgrade' | 'ready' | 'deletion';
  state: 'waiting' | 'running' | 'done' | 'failed';
  /** What is happening, in one line. */
  message: string;
  /** RFC 3339, where known. */
  since?: string;
}

/** How far a Cluster is. */
export interface Progress {
  cluster: string;
  ready: boolean;
  deleting: boolean;
  /** `metadata.generation` of the Cluster that this is about. */
  generation?: number;
  /** Whether everything is as the spec asks for: counts, releases, and nothing is to be replaced or to go. */
  settled: boolean;
  /** All but this is as the spec asks for, and it does not go on before somebody does something. */
  stuck?: string;
  /** The line to read when only one is read. */
  message: string;
  steps: Step[];
  /** One for each machine, by name. */
  machines: MachineProgress[];
}

const ofCondition = (name: Step['name'], c: Condition | undefined, otherwise: string): Step => ({
  name,
  state: !c
    ? 'waiting'
    : c.status === 'True'
      ? 'done'
      : /Fail|Invalid|Error|NotFound|Exceeded|Unauthorized/.test(c.reason)
        ? 'failed'
        : 'running',
  message: c?.message || (c?.status === 'True' ? 'done' : otherwise),
  ...(c ? { since: c.lastTransitionTime } : {}),
});

/**
 * The steps of a Cluster and of its machines, derived from what each service says of them. Pure.
 *
 * @param live - steps of machines that are not stored; none where nobody told
 */
export function progressOf(cluster: Cluster, machines: Machine[], live: StepsByMachine = new Map()): Progress {
  const s = cluster.status;
  const ofMachines = machines
    .map((m) => machineProgress(m, live.get(m.metadata.name) ?? []))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const ready = findCondition(s?.conditions, 'Ready');
  const deleting = cluster.metadata.deletionTimestamp !== undefined;
  const generation = cluster.metadata.generation === undefined ? {} : { generation: cluster.metadata.generation };
  const rollout = rolloutStep(cluster);
  if (deleting) {
    const left = machines.length;
    const message =
      left > 0
        ? `${left} machine${left === 1 ? '' : 's'} still to go`
        : (ready?.message ?? 'network and endpoint are being removed');
    return {
      cluster: cluster.metadata.name,
      ready: false,
      deleting,
      ...generation,
      settled: false,
      message,
      steps: [{ name: 'deletion', state: 'running', message, since: cluster.metadata.deletionTimestamp! }],
      machines: ofMachines,
    };
  }
  const wanted = cluster.spec.controlPlane.count + cluster.spec.nodePools.reduce((n, p) => n + p.count, 0);
  const active = machines.filter((m) => m.status?.server?.state === 'Active').length;
  const healthy = machines.filter((m) => m.status?.health?.ready).length;
  const joined = machines.filter((m) => isTrue(m.status?.bootstrap?.conditions, 'Joined')).length;
  const failed = machines.flatMap((m) => {
    const c = troubleOf(m);
    return c ? [`${m.metadata.name}: ${c.message}`] : [];
  });
  const steps: Step[] = [
    ofCondition('network', findCondition(s?.infrastructure?.conditions, 'NetworkReady'), 'waiting for its turn'),
    ofCondition('endpoint', findCondition(s?.infrastructure?.conditions, 'EndpointReady'), 'waiting for the network'),
    {
      name: 'machines',
      state: active >= wanted ? 'done' : failed.length > 0 ? 'failed' : machines.length > 0 ? 'running' : 'waiting',
      message: failed[0] ?? `${active} of ${wanted} servers run`,
    },
    {
      name: 'control-plane',
      state: s?.controlPlane?.initialized ? 'done' : active > 0 ? 'running' : 'waiting',
      message: s?.controlPlane?.initialized
        ? 'the API server answers'
        : (s?.controlPlane?.conditions?.find((c) => c.status !== 'True')?.message ??
          'waiting for the first control-plane machine'),
      ...(s?.controlPlane?.initializedAt ? { since: s.controlPlane.initializedAt } : {}),
    },
    ofCondition('addons', ofAddons(cluster), 'waiting for the control plane'),
    {
      name: 'nodes',
      state: healthy >= wanted && !rollout ? 'done' : joined > 0 ? 'running' : 'waiting',
      message: `${joined} of ${wanted} nodes joined, ${healthy} ready${rollout ? leftOf(cluster) : ''}`,
    },
    ...(rollout ? [rollout] : []),
    ofCondition('ready', ready, 'not yet'),
  ];
  return {
    cluster: cluster.metadata.name,
    ready: ready?.status === 'True',
    deleting,
    ...generation,
    settled: isSettled(cluster, machines) && addonsSettled(cluster),
    ...stuckOf(cluster, machines),
    message: ready?.message ?? 'accepted: waiting for the provisioner',
    steps,
    machines: ofMachines,
  };
}

/** What a rollout waits for that nobody but a person, or the clock, ends. */
const HELD = ['OutsideMaintenanceWindow', 'Paused', 'EmergencyStop'];
/** What does not go away by itself. */
const STUCK = ['UpgradeBlocked', 'QuorumLost', 'UnsupportedEndpoint'];

/** The replacement of machines, while one goes on or waits; undefined while every machine is as asked for, and before there is a control plane. */
function rolloutStep({ status }: Cluster): Step | undefined {
  const { rollout, conditions } = status?.infrastructure ?? {};
  const said = findCondition(conditions, 'UpToDate');
  if (!status?.controlPlane?.initialized || (!rollout && said?.status !== 'False')) return undefined;
  const to = rollout ? `machines are brought to ${rollout.release}` : 'machines are to be replaced';
  const since = said?.lastTransitionTime ?? rollout?.startedAt;
  return {
    name: 'upgrade',
    state:
      said?.status !== 'False'
        ? 'running'
        : HELD.includes(said.reason)
          ? 'waiting'
          : STUCK.includes(said.reason)
            ? 'failed'
            : 'running',
    message: (said?.status === 'False' && said.message) || to,
    ...(since ? { since } : {}),
  };
}

/** How many machines are still to be replaced, by pool: `; still to be replaced: control-plane 1, default 2`. */
function leftOf({ status }: Cluster): string {
  const left = (status?.infrastructure?.pools ?? []).filter((p) => (p.outdated ?? 0) > 0);
  return left.length > 0 ? `; still to be replaced: ${left.map((p) => `${p.name} ${p.outdated}`).join(', ')}` : '';
}

/** Whether everything but addons is as the spec asks for. Machines that are kept for study count for nothing. */
function isSettled(cluster: Cluster, all: Machine[]): boolean {
  const { spec, status, metadata } = cluster;
  const machines = all.filter((m) => m.metadata.annotations?.[ANNOTATIONS.keepUntil] === undefined);
  if (machines.some((m) => m.metadata.deletionTimestamp)) return false;
  const pools = [{ name: 'control-plane', ...spec.controlPlane, release: spec.release }, ...spec.nodePools];
  const complete = pools.every((pool) => {
    const own = machines.filter((m) => m.spec.pool === pool.name);
    return (
      own.length === pool.count &&
      own.every((m) => m.status?.health?.ready && m.spec.release === (pool.release ?? spec.release))
    );
  });
  // A condition of an earlier generation says nothing of this one.
  const seen = status?.observedGeneration === undefined || status.observedGeneration === metadata.generation;
  const { conditions, rollout } = status?.infrastructure ?? {};
  return (
    complete &&
    seen &&
    machines.every((m) => pools.some((p) => p.name === m.spec.pool)) &&
    rollout === undefined &&
    findCondition(conditions, 'UpToDate')?.status !== 'False' &&
    isTrue(status?.conditions, 'Ready')
  );
}

/** Why an addon that runs is not what it should be, and stays so until somebody does something. */
const FOR_A_PERSON = ['UpdateFailed', 'InvalidValues'];

function stuckOf(cluster: Cluster, machines: Machine[]): Pick<Progress, 'stuck'> {
  const c = ofAddons(cluster);
  const isStuck = c?.type === 'UpToDate' && c.status === 'False' && FOR_A_PERSON.includes(c.reason);
  const { observedGeneration } = cluster.status?.addons ?? {};
  const seen = observedGeneration === cluster.metadata.generation;
  return isStuck && seen && isSettled(cluster, machines) ? { stuck: c.message } : {};
}

/** The condition that says most of the addons: that they do not run, or else that one is not what it should be. */
function ofAddons({ status }: Cluster): Condition | undefined {
  const said = (type: string) => findCondition(status?.addons?.conditions, type);
  const healthy = said('Healthy') ?? said('Applied');
  const isBehind = status?.addons?.items?.some((i) => i.upToDate === false);
  return healthy?.status === 'True' && isBehind ? (said('UpToDate') ?? healthy) : healthy;
}

/** Whether the addons are what is asked for: those of this generation, pinned ones at their version, all healthy. Of a paused one nothing is expected. */
function addonsSettled({ spec, status, metadata }: Cluster): boolean {
  const items = status?.addons?.items ?? [];
  const seen = spec.addons.length === 0 || status?.addons?.observedGeneration === metadata.generation;
  return (
    seen &&
    items.every((i) => spec.addons.some((a) => a.name === i.name)) &&
    spec.addons.every((a) => {
      const item = items.find((i) => i.name === a.name);
      const isRight = item?.healthy === true && item.upToDate !== false;
      return a.paused || (isRight && (a.version === undefined || a.version === item.version));
    })
  );
}
