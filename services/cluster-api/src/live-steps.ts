import type { Cluster, Machine } from '@shoto/api';
import type { Clock, Logger } from '@shoto/service';
import type { BootstrapClient, MachineStep } from './bootstrap-client.ts';
import type { Store } from './store.ts';

/** How often the bootstrap-worker is asked about a cluster that is followed, in milliseconds. */
const EVERY_MS = 1000;

/** Which cluster. */
interface Ref {
  namespace: string;
  name: string;
}

/** Steps of machines, by the machine's name. */
export type StepsByMachine = ReadonlyMap<string, readonly MachineStep[]>;

interface Followed {
  followers: Set<() => void>;
  steps: Map<string, MachineStep[]>;
  /** Whether machines installed when it was last looked. */
  installing: boolean;
  /** Ends the pause between two questions. */
  wake: () => void;
  stop: () => void;
}

type Watched = Pick<Store, 'cluster' | 'machinesOf' | 'onClusterChange'>;

/** Whether a machine runs steps now: it has taken its ticket and not joined yet. */
const installs = (m: Machine): boolean =>
  m.status?.bootstrap?.ticketTakenAt !== undefined &&
  m.status.bootstrap.joinedAt === undefined &&
  m.metadata.deletionTimestamp === undefined;

/** Whether machines of a cluster run steps now. */
const isInstalling = (cluster: Cluster | undefined, store: Pick<Store, 'machinesOf'>): boolean =>
  cluster !== undefined &&
  cluster.metadata.deletionTimestamp === undefined &&
  store.machinesOf(cluster).some((m) => installs(m));

/** Steps by their names, the newer of two of one name, in order of time. A running step is older than the same one at its end. */
export function mergeSteps(a: readonly MachineStep[], b: readonly MachineStep[]): MachineStep[] {
  const byName = new Map(a.map((s) => [s.name, s]));
  for (const s of b) {
    const known = byName.get(s.name);
    const later = known ? Date.parse(s.startedAt) - Date.parse(known.startedAt) : 1;
    if (later > 0 || (later === 0 && known?.state === 'running')) byName.set(s.name, s);
  }
  return [...byName.values()].sort((x, y) => Date.parse(x.startedAt) - Date.parse(y.startedAt));
}

/**
 * What machines do right now, as the bootstrap-worker was told. It is asked only while somebody follows the cluster and its
 * machines install, once a second for all followers together, and when that begins and ends. Where it does not answer there are no live steps, and no error.
 */
export class LiveSteps {
  readonly #d: { bootstrap: BootstrapClient; store: Watched; clock: Clock; log: Logger };
  readonly #followed = new Map<string, Followed>();
  readonly #asking = new Map<string, Promise<StepsByMachine | undefined>>();

  constructor(d: {
    bootstrap: BootstrapClient;
    store: Watched;
    clock: Clock;
    log: Logger;
  }) {
    this.#d = d;
  }

  /**
   * Follows a cluster.
   *
   * @param onChange - something is new; {@link of} has it
   * @returns what ends it
   */
  follow(ref: Ref, onChange: () => void): () => void {
    const key = keyOf(ref);
    const f = this.#followed.get(key) ?? this.#begin(key, ref);
    f.followers.add(onChange);
    return () => {
      f.followers.delete(onChange);
      if (f.followers.size > 0 || this.#followed.get(key) !== f) return;
      f.stop();
      this.#followed.delete(key);
    };
  }

  /** What is known of a cluster that is followed; nothing of another. */
  of(ref: Ref): StepsByMachine {
    return this.#followed.get(keyOf(ref))?.steps ?? new Map();
  }

  /** For one answer: what followers know already, else one question, where machines install. */
  async read(ref: Ref): Promise<StepsByMachine> {
    const known = this.of(ref);
    if (known.size > 0 || !this.#isInstalling(ref)) return known;
    return (await this.#ask(ref)) ?? new Map();
  }

  #begin(key: string, ref: Ref): Followed {
    const end = new AbortController();
    const f: Followed = {
      followers: new Set(),
      steps: new Map(),
      installing: false,
      wake: () => {},
      stop: () => {
        end.abort();
        off();
      },
    };
    // Not at the next second only: what begins is told at once, and how the last steps ended before the cluster is ready and its followers are gone.
    const off = this.#d.store.onClusterChange(ref.namespace, ref.name, () => {
      if (f.installing !== this.#isInstalling(ref)) f.wake();
    });
    this.#followed.set(key, f);
    void this.#poll(ref, f, end.signal);
    return f;
  }

  async #poll(ref: Ref, f: Followed, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const before = f.installing;
      f.installing = this.#isInstalling(ref);
      // Once more after the last has joined: how its last steps ended is not told yet.
      if (f.installing || before) {
        const answer = await this.#ask(ref);
        if (!signal.aborted && answer && learn(f.steps, answer)) for (const tell of f.followers) tell();
      }
      // The last one joined, or the first one began, while the question was on its way.
      if (f.installing !== this.#isInstalling(ref)) continue;
      const pause = new AbortController();
      f.wake = () => pause.abort();
      await this.#d.clock.sleep(EVERY_MS, AbortSignal.any([signal, pause.signal]));
    }
  }

  #isInstalling(ref: Ref): boolean {
    return isInstalling(this.#d.store.cluster(ref.namespace, ref.name), this.#d.store);
  }

  /** One question at a time for each cluster; whoever asks meanwhile gets the same answer. */
  #ask(ref: Ref): Promise<StepsByMachine | undefined> {
    const key = keyOf(ref);
    const running = this.#asking.get(key);
    if (running) return running;
    const asked = this.#d.bootstrap
      .steps(ref.namespace, ref.name)
      .then((machines) => new Map(machines.map((m) => [m.machine, m.steps])))
      .catch((err: unknown) => {
        this.#d.log.debug({ err, cluster: key }, 'no live steps: the bootstrap-worker does not tell');
        return undefined;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }
}

const keyOf = (ref: Ref): string => `${ref.namespace}/${ref.name}`;

/** Adds what was told to what is known: each replica of the bootstrap-worker knows only what it was told itself. */
function learn(known: Map<string, MachineStep[]>, told: StepsByMachine): boolean {
  let isNew = false;
  for (const [machine, steps] of told) {
    const before = known.get(machine) ?? [];
    const after = mergeSteps(before, steps);
    if (JSON.stringify(after) === JSON.stringify(before)) continue;
    known.set(machine, after);
    isNew = true;
  }
  return isNew;
}
