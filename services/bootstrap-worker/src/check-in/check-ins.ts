import { type Cluster, type Machine, timestamp } from '@shoto/api';
import { KubeError, keyOf } from '@shoto/kube';
import type { Clock, Logger } from '@shoto/service';
import { type Events, releaseInvalid, stepFailed, ticketExpired, ticketMisused } from '../events.ts';
import { MissingFactError } from '../kubeadm/documents.ts';
import { OverrideError } from '../kubeadm/merge.ts';
import { changeBootstrap } from '../machine-status.ts';
import type { Metrics } from '../metrics.ts';
import { lastLines, redact } from '../redact.ts';
import type { PkiStore } from '../secrets/cluster-pki.ts';
import { newestJoined } from '../upgrade/kubeadm-config.ts';
import { storeImages } from '../upgrade-images.ts';
import { NoAccessError, type WorkloadAccess } from '../workload/access.ts';
import { makeBootstrapToken, randomBootstrapToken, removeBootstrapToken } from '../workload/bootstrap-token.ts';
import { CLUSTERS, clusterKeyOf, clusterOf, type Kube, MACHINES, uidOf, type World } from '../world.ts';
import { admission, isTurnOver, nextTask } from './decide.ts';
import { mayJoin } from './join-gate.ts';
import { initPlan, joinPlan } from './plan.ts';
import { type AddonImages, type CheckInAnswer, type CheckInRequest, Refusal, type StepReport } from './protocol.ts';
import { type Bootstrap, failed, isStored, joined, misused, stepOf, ticketTaken } from './steps.ts';
import { claimedMachine, isTicketOf } from './ticket.ts';
import type { Wakeups } from './wakeups.ts';

/** How long a request may wait for something to change before the machine is told to ask again. */
const LONG_POLL_MS = 20_000;
const TRIES = 6;
/** How long the steps of a machine are told after it has joined: who looks every second must see the last ones. */
const TOLD_AFTER_JOINED_MS = 60_000;

/** What the check-in needs of the rest. */
export interface CheckInDeps {
  kube: Kube;
  world: World;
  pki: PkiStore;
  access: WorkloadAccess;
  /** The Cluster of that key needs a pass: a machine waits for something that is done under its key. */
  wakeCluster: (key: string) => void;
  ticketKey: Buffer;
  wakeups: Wakeups;
  events: Events;
  metrics: Metrics;
  clock: Clock;
  log: Logger;
}

/** `final`: no change of our objects ends the wait. `againMs`: nor need one; it is looked again after that time. */
type Look = CheckInAnswer & { final?: boolean; againMs?: number };

/** Nothing can be done about it by waiting for a change of our objects: the machine asks again after that time. */
const later = (reason: string, message: string, retryAfterMs: number): Look => ({
  action: 'wait',
  reason,
  message,
  retryAfterMs,
  final: true,
});

/** Decides what machines are told, and keeps what they tell. */
export class CheckIns {
  readonly #d: CheckInDeps;
  /** Steps of machines that install now; in memory, since only the long and the failed ones are worth a write. */
  readonly #steps = new Map<string, Map<string, NonNullable<Bootstrap['steps']>[number]>>();
  /** Until when the steps of a joined machine are kept, by its UID; milliseconds since 1970, soonest first. */
  readonly #until = new Map<string, number>();

  constructor(d: CheckInDeps) {
    this.#d = d;
  }

  /**
   * One check-in. Waits for up to 20 s when there is nothing to do yet.
   *
   * @param keyHash - of the key that the TLS handshake proved the caller to hold
   * @param signal - the caller went away
   * @throws {Refusal} {@link KubeError} of the management API
   */
  async checkIn(request: CheckInRequest, keyHash: string, signal: AbortSignal): Promise<CheckInAnswer> {
    const machine = this.#machineOf(request.ticket);
    const deadline = this.#d.clock.now() + LONG_POLL_MS;
    for (;;) {
      const listener = this.#d.wakeups.listen([uidOf(machine), machine.spec.cluster.uid]);
      try {
        const { final, againMs, ...answer } = await this.#look(
          keyOf(machine),
          uidOf(machine),
          request,
          keyHash,
          signal,
        );
        const left = deadline - this.#d.clock.now();
        if (answer.action !== 'wait' || final || left <= 0 || signal.aborted) return answer;
        await listener.wait(Math.min(left, againMs ?? left), signal);
        if (signal.aborted) return answer;
      } finally {
        listener.stop();
      }
    }
  }

  /**
   * A report on a step.
   * @throws {Refusal} when no ticket is bound to that key
   */
  async step(report: StepReport, keyHash: string): Promise<void> {
    const machine = this.#machineByKey(keyHash);
    if (!machine) throw new Refusal('KeyUnknown', 'no ticket is bound to this key: check in first');
    const uid = uidOf(machine);
    const step = stepOf(report);
    const log = this.#logOf(machine);
    if (report.state !== 'running') {
      this.#d.metrics.steps.observe({ step: report.step, result: report.state }, step.seconds ?? 0);
      log.info({ step: step.name, state: step.state, seconds: step.seconds }, 'step of a machine ended');
    }
    const steps = this.#steps.get(uid) ?? new Map<string, typeof step>();
    this.#steps.set(uid, steps.set(step.name, step));
    if (report.state === 'failed') {
      await changeBootstrap(this.#status, machine, (b) => failed(b, step, this.#d.clock.now()));
      await stepFailed(this.#d.events, machine, step.name, lastLines(redact(report.log ?? '')));
    } else if (report.step === 'joined' && report.state === 'done') {
      const slow = [...steps.values()].filter((s) => s.name !== 'joined' && isStored(s));
      // Before the word that it has joined: what kube-proxy and CoreDNS follow with is there when they may.
      if (report.images) await this.#keepImages(machine, report.images);
      await changeBootstrap(this.#status, machine, (b) => joined(b, slow, this.#d.clock.now()));
      this.#removeToken(machine);
      // Said again after a lost answer, it changes nothing.
      if (!this.#until.has(uid)) this.#until.set(uid, this.#d.clock.now() + TOLD_AFTER_JOINED_MS);
      this.#forgetOld();
    }
  }

  /**
   * What machines do right now and did until a minute after they joined, as this replica was told: the live view, since
   * only long and failed steps are stored.
   */
  stepsOf(machines: readonly Machine[]): { machine: string; steps: NonNullable<Bootstrap['steps']> }[] {
    this.#forgetOld();
    return machines.flatMap((m) => {
      const steps = this.#steps.get(uidOf(m));
      return steps ? [{ machine: m.metadata.name, steps: [...steps.values()] }] : [];
    });
  }

  /** Forgets a Machine that is gone. */
  forget(machineUid: string): void {
    this.#steps.delete(machineUid);
    this.#until.delete(machineUid);
  }

  #forgetOld(): void {
    const now = this.#d.clock.now();
    for (const [uid, until] of this.#until) {
      if (until > now) return;
      this.forget(uid);
    }
  }

  get #status(): { kube: Kube; machines: World['machines'] } {
    return { kube: this.#d.kube, machines: this.#d.world.machines };
  }

  #logOf(m: Machine): Logger {
    return this.#d.log.child({ cluster: clusterKeyOf(m), machine: m.metadata.name });
  }

  /** The Machine of a ticket that we issued. */
  #machineOf(ticket: string): Machine {
    const uid = claimedMachine(ticket);
    if (uid === undefined) throw new Refusal('TicketInvalid', 'this is no ticket');
    const { machines } = this.#d.world;
    const machine = machines.byIndex('uid', uid)[0] ?? machines.noted().find((m) => m.metadata.uid === uid);
    if (!machine) throw new Refusal('MachineUnknown', 'there is no machine of that ticket, or not any more');
    if (!isTicketOf(this.#d.ticketKey, ticket, uid, machine.spec.cluster.uid)) {
      throw new Refusal('TicketInvalid', 'this is no ticket of ours');
    }
    return machine;
  }

  #machineByKey(keyHash: string): Machine | undefined {
    const { machines } = this.#d.world;
    return (
      machines.byIndex('keyHash', keyHash)[0] ?? machines.noted().find((m) => m.status?.bootstrap.keyHash === keyHash)
    );
  }

  /** Decides once, on what is known now. Decides again on a live read when somebody else was quicker. */
  async #look(key: string, uid: string, request: CheckInRequest, keyHash: string, signal: AbortSignal): Promise<Look> {
    const { world, clock } = this.#d;
    for (let tries = 1; tries <= TRIES; tries++) {
      const machine = world.machines.get(key);
      if (machine?.metadata.uid !== uid || !machine) throw new Refusal('MachineDeleted', 'the machine is gone', key);
      const cluster = clusterOf(world, machine) ?? (await this.#liveCluster(machine));
      const may = admission(machine, cluster, request.instance, keyHash, clock.now());
      if (may.admit === 'refuse') await this.#refuse(machine, may.reason, may.message);
      if (may.admit === 'wait') return { action: 'wait', reason: may.reason, message: may.message, retryAfterMs: 1000 };
      if (may.admit === 'redeem') {
        const other = this.#machineByKey(keyHash);
        if (other && other.metadata.uid !== uid)
          throw new Refusal('KeyInUse', 'another machine has this key: each makes its own', key);
        // Written before anything is handed out. Whoever else redeems meanwhile makes this decide again.
        const after = await changeBootstrap(this.#status, machine, (b) =>
          b.keyHash === undefined ? ticketTaken(b, keyHash, clock.now()) : undefined,
        );
        if (after?.status?.bootstrap.keyHash === keyHash)
          this.#logOf(machine).info({ instance: request.instance.id }, 'ticket taken');
        continue;
      }
      if (!cluster) continue;
      const task = nextTask(machine, cluster, this.#machinesOf(cluster));
      switch (task.task) {
        case 'done':
          return { action: 'done' };
        case 'wait':
          return { action: 'wait', reason: task.reason, message: task.message, retryAfterMs: 1000 };
        case 'claim':
          await this.#claim(machine, cluster, task.field);
          continue;
        default:
          return await this.#plan(task.task, machine, cluster, request, signal);
      }
    }
    return later('Busy', 'others write the same objects', 1000);
  }

  async #refuse(machine: Machine, reason: Refusal['reason'], message: string): Promise<never> {
    if (reason === 'TicketUsed') {
      await changeBootstrap(this.#status, machine, (b) => misused(b, this.#d.clock.now()));
      await ticketMisused(this.#d.events, machine);
    } else if (reason === 'TicketExpired') {
      await ticketExpired(this.#d.events, machine, message);
    }
    throw new Refusal(reason, message, keyOf(machine));
  }

  /** Takes the turn in the Cluster's status, so that no two machines ever have it, whichever replica they asked. */
  async #claim(machine: Machine, cluster: Cluster, field: 'initMachine' | 'joinMachine'): Promise<void> {
    const { kube, world, clock } = this.#d;
    const map = cluster.status?.controlPlane;
    const holder = map?.[field];
    // The cache says that the holder is lost: a second maker of the control plane would be worse than a late one, so look live.
    if (holder !== undefined && !(await this.#isTurnFree(cluster, holder, field))) return;
    try {
      const since = field === 'initMachine' ? { initMachineAt: timestamp(clock.now()) } : {};
      const turn = { ...map, [field]: uidOf(machine), ...since };
      const now = await kube.patchStatusMap(CLUSTERS, cluster, 'controlPlane', turn);
      world.clusters.note(now);
      this.#logOf(machine).info({ turn: field, before: holder }, 'turn taken');
    } catch (e) {
      if (!(e instanceof KubeError && e.isConflict)) throw e;
      await this.#liveCluster(machine);
    }
  }

  async #isTurnFree(cluster: Cluster, machineUid: string, field: 'initMachine' | 'joinMachine'): Promise<boolean> {
    const namespace = cluster.metadata.namespace ?? '';
    const machines = (await this.#d.kube.listAll<Machine>(MACHINES, { namespace })).filter(
      (m) => m.spec.cluster.uid === cluster.metadata.uid,
    );
    const holder = machines.find((m) => m.metadata.uid === machineUid);
    if (holder) this.#d.world.machines.note(holder);
    if (field === 'joinMachine') return isTurnOver(holder, newestJoined(cluster, machines));
    return !holder;
  }

  async #liveCluster(machine: Machine): Promise<Cluster | undefined> {
    const live = await this.#d.kube.get<Cluster>(CLUSTERS, {
      namespace: machine.metadata.namespace,
      name: machine.spec.cluster.name,
    });
    return live?.metadata.uid === machine.spec.cluster.uid && live ? this.#d.world.clusters.note(live) : undefined;
  }

  #machinesOf(cluster: Cluster): Map<string, Machine> {
    const { machines } = this.#d.world;
    const uid = uidOf(cluster);
    const known = [...machines.noted().filter((m) => m.spec.cluster.uid === uid), ...machines.byIndex('cluster', uid)];
    return new Map(known.map((m) => [uidOf(m), m]));
  }

  async #plan(
    task: 'init' | 'join',
    machine: Machine,
    cluster: Cluster,
    request: CheckInRequest,
    signal: AbortSignal,
  ): Promise<Look> {
    const release = this.#d.world.releases.get(machine.spec.release);
    if (!release) return later('ReleaseUnknown', `the release ${machine.spec.release} is not there`, 10_000);
    const pki = await this.#d.pki.get(uidOf(cluster));
    if (!pki) return later('PKINotReady', "the cluster's certificate authorities are not made yet", 1000);
    const inputs = { machine, cluster, release };
    try {
      if (task === 'init') return initPlan(inputs, request.has, pki, randomBootstrapToken());
      joinPlan(inputs, request.has, pki, randomBootstrapToken()); // a release that cannot work is told before a token is made
      const workload = await this.#d.access.client(cluster);
      if (machine.spec.role === 'control-plane') {
        const no = await mayJoin(this.#d, machine, cluster, release, this.#machinesOf(cluster).values(), signal);
        if (no) return no;
      }
      const token = await makeBootstrapToken(workload, machine, this.#d.clock.now());
      return joinPlan(inputs, request.has, pki, token);
    } catch (e) {
      if (signal.aborted) return later('NotReady', 'the machine has hung up', 1000);
      if (e instanceof OverrideError) {
        const message = `release ${release.metadata.name}: ${e.message}; publish a new revision of it`;
        await releaseInvalid(this.#d.events, machine, message);
        return later('ReleaseInvalid', message, 30_000);
      }
      if (e instanceof MissingFactError || e instanceof NoAccessError) return later('NotReady', e.message, 1000);
      if (e instanceof KubeError) {
        this.#logOf(machine).warn({ err: e }, 'a join could not be prepared');
        return later('ControlPlaneUnreachable', "the cluster's API does not answer", 3000);
      }
      throw e;
    }
  }

  /** Keeps what a control-plane machine says of the images of kubeadm's own addons. */
  async #keepImages(machine: Machine, images: AddonImages): Promise<void> {
    if (machine.spec.role !== 'control-plane') return;
    const cluster = clusterOf(this.#d.world, machine) ?? (await this.#liveCluster(machine));
    const d = { kube: this.#d.kube, clusters: this.#d.world.clusters };
    if (cluster) await storeImages(d, cluster, machine.spec.release, images);
  }

  /** The token has served. If this fails it ends by itself within minutes. */
  #removeToken(machine: Machine): void {
    const cluster = clusterOf(this.#d.world, machine);
    if (!cluster?.status?.controlPlane.initialized) return;
    void this.#d.access
      .client(cluster)
      .then((workload) => removeBootstrapToken(workload, uidOf(machine)))
      .catch((err: unknown) => this.#logOf(machine).debug({ err }, 'bootstrap token not removed; it ends by itself'));
  }
}
