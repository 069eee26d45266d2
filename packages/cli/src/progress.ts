import type { Api } from './client.ts';
import { CliError, EXIT } from './errors.ts';
import { type MachineProgress, machineLines, machineNews } from './output/machines.ts';

/** One step of a cluster's way, as cluster-api tells it. */
export interface Step {
  name: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  message: string;
}
/** How far a cluster is. */
export interface Progress {
  cluster: string;
  ready: boolean;
  deleting: boolean;
  message: string;
  /** Generation of the cluster's spec that this is about. */
  generation?: number;
  /** Whether everything is as the spec asks for. */
  settled?: boolean;
  /** All but this is as asked for, and it does not go on before somebody does something. */
  stuck?: string;
  steps: Step[];
  /** Absent in answers of a server that is older than this. */
  machines?: MachineProgress[];
}

/** Where progress is written to. */
export interface Screen {
  isTTY: boolean;
  write(text: string): void;
  columns: number;
  rows: number;
}

const MARK = { waiting: '·', running: '…', done: '✓', failed: '✗' } as const;

/** Draws progress: a block that is redrawn on a terminal, a line for each thing that changed in a pipe. */
export class ProgressView {
  readonly #screen: Screen;
  readonly #started: number;
  readonly #now: () => number;
  #drawn = 0;
  #last = new Map<string, string>();
  #told = new Map<string, string>();
  #shown: Progress | undefined;

  constructor(screen: Screen, now: () => number) {
    this.#screen = screen;
    this.#now = now;
    this.#started = now();
  }

  /** Shows what is new. */
  draw(p: Progress): void {
    this.#shown = p;
    if (this.#screen.isTTY) this.#block(p);
    else this.#lines(p);
  }

  /** Time goes on: seconds are drawn anew on a terminal. */
  tick(): void {
    if (this.#screen.isTTY && this.#shown) this.#block(this.#shown);
  }

  #lines(p: Progress): void {
    for (const s of p.steps) {
      const text = `${s.state}: ${s.message}`;
      // What an upgrade waits for is news; that other steps have not begun is none.
      if (this.#last.get(s.name) !== text && (s.state !== 'waiting' || s.name === 'upgrade')) {
        this.#last.set(s.name, text);
        this.#screen.write(`${this.#seconds()} ${s.name}: ${text}\n`);
      }
      if (s.name !== 'machines') continue;
      for (const line of machineNews(p.machines ?? [], this.#told))
        this.#screen.write(`${this.#seconds()} machines: ${line}\n`);
    }
  }

  #block(p: Progress): void {
    const { columns, rows } = this.#screen;
    // A block that is higher than the terminal could not be drawn over.
    const room = rows - p.steps.length - 2;
    const machines = p.machines?.length ? machineLines(p.machines, room, this.#now()) : [];
    const after = p.steps.findIndex((s) => s.name === 'machines' || s.name === 'deletion');
    const lines = p.steps.map((s) => `${MARK[s.state]} ${s.name.padEnd(14)} ${s.message}`);
    lines.splice(after < 0 ? lines.length : after + 1, 0, ...machines);
    lines.push(`  ${this.#seconds()} ${p.message}`);
    // Lines that wrap would break the redrawing.
    const cut = lines.map((l) => (l.length > columns ? `${l.slice(0, columns - 1)}…` : l));
    this.#screen.write(
      `${this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''}${cut.map((l) => `\x1b[2K${l}\n`).join('')}${this.#drawn > cut.length ? '\x1b[0J' : ''}`,
    );
    this.#drawn = cut.length;
  }

  #seconds(): string {
    return `${((this.#now() - this.#started) / 1000).toFixed(1).padStart(6)}s`;
  }
}

/** What is waited for; of a change that it is carried out as a whole, by the generation of the spec that it made. */
export type Goal = 'ready' | 'deleted' | { generation: number };

const isReached = (goal: Goal, p: Progress): boolean =>
  typeof goal === 'object' ? p.settled === true && (p.generation ?? 0) >= goal.generation : goal === 'ready' && p.ready;

/**
 * Follows a cluster until it is ready, changed as asked, or gone. A stream that breaks is opened again.
 *
 * @param timeoutMs - how long to wait; 0 for ever
 * @throws {CliError} `timeout` with what it hangs at; `failed` where it waits for somebody to do something; `notFound` where a cluster that should not go is gone
 */
export async function follow(
  api: Api,
  path: string,
  goal: Goal,
  view: ProgressView | undefined,
  timeoutMs: number,
): Promise<void> {
  const ticks = view && setInterval(() => view.tick(), 1000);
  try {
    await followTo(api, path, goal, view, timeoutMs);
  } finally {
    clearInterval(ticks);
  }
}

async function followTo(
  api: Api,
  path: string,
  goal: Goal,
  view: ProgressView | undefined,
  timeoutMs: number,
): Promise<void> {
  const late = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : new AbortController().signal;
  let last: Progress | undefined;
  const isLate = () =>
    new CliError(
      EXIT.timeout,
      `not ${typeof goal === 'object' ? 'done' : goal} after ${timeoutMs / 1000} s: ${last?.message ?? 'nothing was heard of it'}\nit goes on without us: shoto describe cluster ${last?.cluster ?? ''}`,
    );
  for (;;) {
    try {
      for await (const e of api.events(`${path}/progress`, late)) {
        if (e.event === 'gone') {
          if (goal === 'deleted') return;
          throw new CliError(EXIT.notFound, 'the cluster was deleted');
        }
        last = JSON.parse(e.data) as Progress;
        view?.draw(last);
        if (isReached(goal, last)) return;
        if (typeof goal === 'object' && last.stuck && (last.generation ?? 0) >= goal.generation)
          throw new CliError(EXIT.failed, `all is as asked for, but this: ${last.stuck}`);
      }
    } catch (e) {
      if (late.aborted) throw isLate();
      if (e instanceof CliError && e.exitCode === EXIT.notFound && goal === 'deleted') return;
      if (e instanceof CliError && e.exitCode !== EXIT.unavailable) throw e;
    }
    if (late.aborted) throw isLate();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
