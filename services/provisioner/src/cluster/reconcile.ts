import { type Cluster, type ConditionInput, FINALIZERS, findCondition, type Machine } from '@shoto/api';
import { keyOf } from '@shoto/kube';
import { type Outcome, type ReconcileError, RetryableError, type RunContext, WaitingError } from '@shoto/reconciler';
import { CONDITIONS, good, ofError, stated } from '../conditions.ts';
import { type Deps, machinesOf } from '../deps.ts';
import type { Infrastructure } from '../memory.ts';
import { release, reserve } from '../quota/reserve.ts';
import { dueSoon, nextDue } from './addon-credentials/needs.ts';
import { type ClusterPass, outcomeOf, worstOf } from './pass.ts';
import { deleteCloud } from './phases/delete-cloud.ts';
import { ensureAddonCredentials } from './phases/ensure-addon-credentials.ts';
import { ensureEndpoint } from './phases/ensure-endpoint.ts';
import { ensureSecurityGroups, ensureServerGroups } from './phases/ensure-groups.ts';
import { ensureMachines, removeMachines, withRemoved } from './phases/ensure-machines.ts';
import { ensureNetwork } from './phases/ensure-network.ts';
import { checkEndpoint } from './phases/resolve-references.ts';
import type { Plan } from './plan-machines.ts';
import { decide, planOfPaused } from './planning.ts';
import { type Pool, poolsOf } from './pools.ts';
import { outdatedCounts, pauseOf, progressOf, rolloutOf } from './rolling.ts';
import { standingOf } from './standing.ts';
import { CLUSTERS, novelty, writeCluster } from './store.ts';
import { countPools, machinesCondition, summarize } from './summary.ts';
import { emergencyStop, upToDate } from './up-to-date.ts';

/** One pass over one Cluster. May be cut short, repeated or late, and must end the same. */
export async function reconcileCluster(d: Deps, key: string, ctx: RunContext): Promise<Outcome> {
  const cluster = await d.clusters.read(key, ctx.wake?.resourceVersion);
  if (!cluster) return;
  const finalizers = cluster.metadata.finalizers ?? [];
  const deleting = cluster.metadata.deletionTimestamp !== undefined;
  if (deleting && !finalizers.includes(FINALIZERS.infrastructure)) return;
  // What is made in the cloud before the finalizer is stored would stay when the Cluster goes.
  const held =
    deleting || finalizers.includes(FINALIZERS.infrastructure) ? cluster : await addFinalizer(d, cluster, ctx);
  return deleting ? await runDeletion(d, held, key, ctx) : await runCreation(d, held, key, ctx);
}

async function addFinalizer(d: Deps, cluster: Cluster, ctx: RunContext): Promise<Cluster> {
  const finalizers = [...(cluster.metadata.finalizers ?? []), FINALIZERS.infrastructure];
  const held = await d.kube.jsonPatch<Cluster>(
    CLUSTERS,
    cluster.metadata,
    [
      { op: 'test', path: '/metadata/resourceVersion', value: cluster.metadata.resourceVersion },
      { op: 'add', path: '/metadata/finalizers', value: finalizers },
    ],
    { signal: ctx.signal },
  );
  d.clusters.wrote(held);
  return held;
}

function passOf(d: Deps, cluster: Cluster, key: string, ctx: RunContext, machines: Machine[]): ClusterPass {
  const uid = cluster.metadata.uid as string;
  return {
    d,
    cluster,
    key,
    ref: { name: cluster.metadata.name, uid },
    owner: { installation: d.installation, clusterUid: uid },
    region: d.region(cluster.spec.region),
    machines,
    infra: structuredClone({ revision: 0, ...d.memory.infrastructure(cluster) }),
    memory: d.memory.cluster(uid),
    conditions: [],
    signal: ctx.signal,
  };
}

async function runCreation(d: Deps, cluster: Cluster, key: string, ctx: RunContext): Promise<Outcome> {
  const machines = withRemoved(machinesOf(d, cluster), d.memory.cluster(cluster.metadata.uid as string), d.clock.now());
  const storedInfra = (): Infrastructure => ({ revision: 0, ...d.memory.infrastructure(cluster) });
  if (cluster.spec.paused) {
    const plan = planOfPaused(d, cluster, storedInfra(), machines);
    const renewed = await renewWhilePaused(d, cluster, key, ctx, machines);
    const { conditions, error } = renewed;
    return await store(d, cluster, storedInfra(), machines, poolsOf(cluster, []), conditions, ctx, error, plan);
  }

  let pass: ClusterPass;
  try {
    pass = passOf(d, cluster, key, ctx, machines);
  } catch (e) {
    const error = e as ReconcileError;
    const conditions = [ofError(CONDITIONS.network, error)];
    return await store(d, cluster, storedInfra(), machines, poolsOf(cluster, []), conditions, ctx, error);
  }
  const pools = poolsOf(cluster, pass.region.region.spec.zones);
  let plan: Plan | undefined;
  const errors: (ReconcileError | undefined)[] = [];
  let credentials: ReconcileError | undefined;
  const network = async (): Promise<void> => {
    const groups = outcomeOf(Promise.all([ensureSecurityGroups(pass), ensureServerGroups(pass, pools)]));
    const error = worstOf([await outcomeOf(ensureNetwork(pass)), await groups].filter((e) => e !== undefined));
    errors.push(error);
    pass.conditions.push(
      error
        ? ofError(CONDITIONS.network, error)
        : good(CONDITIONS.network, 'Ready', 'network, router and security groups are there'),
    );
  };
  const refs = await outcomeOf(
    (async () => {
      checkEndpoint(pass.region, cluster.spec.controlPlane.count);
      const decided = await decide(pass, pools);
      const reserved = await reserve(pass, pools, decided.plan);
      plan = reserved.plan;
      // Machines and network side by side: a Machine waits for its network, and not the other way round.
      const born = outcomeOf(ensureMachines(pass, plan, decided.ids));
      await network();
      errors.push(await born, decided.waits, reserved.error);
      if (!errors.some((e) => e !== undefined)) wakeMachines(pass);
      if (!pass.infra.subnetId) return;
      const work = addonCredentials(pass);
      const endpoint = await outcomeOf(ensureEndpoint(pass));
      credentials = await work;
      errors.push(endpoint);
      pass.conditions.push(
        endpoint
          ? ofError(CONDITIONS.endpoint, endpoint)
          : good(CONDITIONS.endpoint, 'Ready', `the API has the address ${pass.infra.endpoint?.external}`),
      );
    })(),
  );
  if (refs) {
    errors.push(refs);
    if (!pass.conditions.some((c) => c.type === CONDITIONS.network))
      pass.conditions.push(ofError(CONDITIONS.network, refs));
  }
  const error = decisive(errors, credentials);
  return await store(d, cluster, pass.infra, pass.machines, pools, pass.conditions, ctx, error, plan);
}

/** States how the credential of the addons is. */
async function addonCredentials(pass: ClusterPass): Promise<ReconcileError | undefined> {
  const error = await outcomeOf(
    ensureAddonCredentials(pass).then((c) => {
      if (c) pass.conditions.push(c);
    }),
  );
  if (error) pass.conditions.push(ofError(CONDITIONS.addonCredentials, error));
  return error;
}

/** What decides when to look again. That addons get no credential, which a person mends, holds up nothing else. */
function decisive(
  errors: readonly (ReconcileError | undefined)[],
  credentials: ReconcileError | undefined,
): ReconcileError | undefined {
  const others = errors.filter((e) => e !== undefined);
  const counts = credentials && (credentials.kind !== 'terminal' || others.length === 0);
  return worstOf(counts ? [...others, credentials] : others);
}

/** Credentials end by themselves: they are renewed on a paused cluster too. */
async function renewWhilePaused(
  d: Deps,
  cluster: Cluster,
  key: string,
  ctx: RunContext,
  machines: Machine[],
): Promise<{ conditions: ConditionInput[]; error: ReconcileError | undefined }> {
  const have = d.memory.infrastructure(cluster).addonCredentials;
  if (nextDue(have, d.clock.now()) !== 0) return { conditions: [], error: undefined };
  const conditions: ConditionInput[] = [];
  const error = await outcomeOf(
    (async () => {
      const pass = passOf(d, cluster, key, ctx, machines);
      const failed = await addonCredentials(pass);
      conditions.push(...pass.conditions);
      if (failed) throw failed;
    })(),
  );
  return { conditions, error };
}

/** Machines without a server can go on now. */
function wakeMachines(pass: ClusterPass): void {
  for (const m of pass.machines)
    if (!m.status?.server?.id && !pass.d.memory.machine(m.metadata.uid as string).serverId)
      pass.d.wake.machine(keyOf(m), m);
}

async function runDeletion(d: Deps, cluster: Cluster, key: string, ctx: RunContext): Promise<Outcome> {
  const machines = machinesOf(d, cluster);
  const uid = cluster.metadata.uid as string;
  const infra = (): Infrastructure => ({ revision: 0, ...d.memory.infrastructure(cluster) });
  const pools: Pool[] = poolsOf(cluster, []).map((p) => ({ ...p, count: 0 }));
  const finish = async (): Promise<Outcome> => {
    const gone = await d.kube.removeFinalizer<Cluster>(CLUSTERS, cluster, FINALIZERS.infrastructure, {
      signal: ctx.signal,
    });
    if (gone) d.clusters.wrote(gone);
    d.memory.forgetCluster(uid);
    return undefined;
  };
  if (cluster.metadata.finalizers?.includes(FINALIZERS.addons))
    return await store(d, cluster, infra(), machines, pools, [], ctx, undefined);
  // Nothing was ever made for it, so no region is needed to let it go.
  if (machines.length === 0 && !d.hasRegion(cluster.spec.region) && !infra().networkId) {
    await release(d, cluster, machines);
    return await finish();
  }

  let error: ReconcileError | undefined;
  try {
    const pass = passOf(d, cluster, key, ctx, machines);
    if (d.emergencyStop())
      throw new WaitingError('EmergencyStop', 'nothing is deleted during the emergency stop', d.times.lookAgainMs);
    await removeMachines(
      pass,
      machines.filter((m) => !m.metadata.deletionTimestamp),
    );
    await release(d, cluster, machines);
    if (machines.length > 0) {
      throw new WaitingError('Deleting', 'machines are being deleted', d.times.lookAgainMs);
    }
    await deleteCloud(pass);
    return await finish();
  } catch (e) {
    error = await outcomeOf(Promise.reject(e));
  }
  // That it goes, and that the fleet stands still, is said elsewhere; only what keeps this one from going is news.
  const isNews = error && error.reason !== 'Deleting' && error.reason !== 'EmergencyStop';
  const conditions = error && isNews ? [ofError(CONDITIONS.network, error)] : [];
  return await store(d, cluster, infra(), machines, pools, conditions, ctx, error);
}

/** Stores what the pass found, if it is new, and says when to look again. The only place that writes a Cluster's status. */
async function store(
  d: Deps,
  cluster: Cluster,
  infra: Infrastructure,
  machines: readonly Machine[],
  pools: readonly Pool[],
  conditions: readonly ConditionInput[],
  ctx: RunContext,
  error: ReconcileError | undefined,
  plan?: Plan,
): Promise<Outcome> {
  const now = d.clock.now();
  const memory = d.memory.cluster(cluster.metadata.uid as string);
  // A call that fails once and then succeeds is no news for people.
  const settled = conditions.filter(
    (c) => !(c.status === 'False' && error instanceof RetryableError && ctx.attempt < 2 && c.reason === error.reason),
  );
  const { infrastructure, counted } = stateOf(d, cluster, infra, machines, pools, settled, plan);
  const ready = {
    ...summarize({ cluster, machines: counted, infrastructure, pools }),
    observedGeneration: cluster.metadata.generation ?? 0,
  };
  const news = novelty(cluster, { infrastructure, ready }, now);
  const gatherMs = infrastructure.rollout ? d.times.gatherMs * GATHERED_WHILE_ROLLING : d.times.gatherMs;
  const gathering = news === 'gathered' && memory.wroteAt !== undefined ? memory.wroteAt + gatherMs - now : 0;
  if (news !== 'none' && gathering <= 0) {
    await writeCluster(d, cluster, { infrastructure, ready }, ctx.signal);
    memory.wroteAt = now;
    delete memory.infrastructure;
    if (error?.kind === 'terminal')
      d.log.warn({ cluster: keyOf(cluster), reason: error.reason, problem: error.message }, 'cluster needs a person');
  }
  const again = [
    gathering > 0 ? gathering : undefined,
    pauseOf(cluster, plan, machines, now),
    dueSoon(infra.addonCredentials, now),
    plan?.quota?.againMs,
  ];
  if (error?.kind === 'waiting') again.push((error as WaitingError).afterMs);
  // Not before the spec, the region or the release changes; but also looked at slowly, since clouds change too.
  if (error?.kind === 'terminal' || (plan?.problems.length ?? 0) > 0) again.push(d.times.recheckMs);
  if (error?.kind === 'retryable') throw error;
  const known = again.filter((ms) => ms !== undefined);
  return known.length > 0 ? { requeueAfterMs: Math.min(...known) } : undefined;
}

/** A machine that is replaced changes the counts several times in a minute: they are gathered for longer then. */
const GATHERED_WHILE_ROLLING = 5;

/** The map as it shall be stored, and the machines that count for the summary. */
function stateOf(
  d: Deps,
  cluster: Cluster,
  infra: Infrastructure,
  machines: readonly Machine[],
  pools: readonly Pool[],
  conditions: readonly ConditionInput[],
  plan: Plan | undefined,
): { infrastructure: Infrastructure; counted: Machine[] } {
  const now = d.clock.now();
  const { paused } = cluster.spec;
  const progress = progressOf(cluster, infra);
  const counted = machines.filter((m) => m.metadata.deletionTimestamp || standingOf(m, [], now).keep === 'no');
  const { rollout: before, ...rest } = infra;
  const rolled: Pick<Infrastructure, 'release' | 'rollout'> =
    plan && !paused ? rolloutOf(plan, progress, machines, now) : before ? { rollout: before } : {};
  const isDeleting = cluster.metadata.deletionTimestamp !== undefined;
  const stop = emergencyStop(
    d.emergencyStop(),
    findCondition(infra.conditions, CONDITIONS.emergencyStop) !== undefined,
  );
  const more = [
    isDeleting ? undefined : machinesCondition(pools, counted, rolled.rollout !== undefined, plan?.quota?.shortage),
    plan && progress.initialized
      ? upToDate({ plan, pools, machines, progress, paused }, findCondition(infra.conditions, CONDITIONS.upToDate))
      : undefined,
    stop,
  ].filter((c) => c !== undefined);
  const infrastructure: Infrastructure = {
    ...rest,
    ...rolled,
    pools: countPools(pools, counted, outdatedCounts(plan, infra, paused)),
    conditions: stated(infra.conditions, [...conditions, ...more], now),
  };
  return { infrastructure, counted };
}
