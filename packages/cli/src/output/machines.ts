import type { EventLine } from './events.ts';
import { age } from './table.ts';

/** A step on the way of a machine into its cluster. */
export interface MachineStep {
  name: string;
  state: 'running' | 'done' | 'failed';
  /** RFC 3339. */
  startedAt: string;
  /** How long it took; absent while it runs. */
  seconds?: number;
}

/** How far a machine is, as cluster-api tells it. */
export interface MachineProgress {
  name: string;
  server: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  message: string;
  steps: MachineStep[];
}

const seconds = (n: number): string => `${n.toFixed(1)} s`;

/** Seconds that a step took, or runs so far. A machine whose clock is ahead of ours does not run for less than nothing. */
const took = (s: MachineStep, now: number): number =>
  s.seconds ?? Math.max(0, Math.floor((now - Date.parse(s.startedAt)) / 1000));

/** How a step stands, with its seconds: `kubeadm-init 12 s`, `kubeadm-init failed after 3.2 s`. */
function standing(s: MachineStep, now: number): string {
  if (s.state === 'running') return `${s.name} ${took(s, now)} s`;
  if (s.state === 'failed') return `${s.name} failed${s.seconds === undefined ? '' : ` after ${seconds(s.seconds)}`}`;
  return `${s.name} done${s.seconds === undefined ? '' : ` in ${seconds(s.seconds)}`}`;
}

/** What a machine does: its current step where it has one, else what the server says. */
function doing(m: MachineProgress, now: number): string {
  const current = m.steps.at(-1);
  const said = (m.state === 'running' || m.state === 'failed') && current && current.state !== 'done';
  return said ? standing(current, now) : m.message;
}

const MARK = { waiting: '·', running: '…', done: '✓', failed: '✗' } as const;
/** Those that need a look come first where not all have room. */
const RANK = { failed: 0, running: 1, waiting: 2, done: 3 } as const;

/**
 * A line for each machine: name, state of its server, what it does with its seconds.
 *
 * @param room - most lines; where they are not enough the last one says how many more there are
 * @param now - milliseconds since the epoch
 */
export function machineLines(machines: readonly MachineProgress[], room: number, now: number): string[] {
  const lines = Math.max(1, room);
  const shown =
    machines.length <= lines
      ? machines
      : [...machines].sort((a, b) => RANK[a.state] - RANK[b.state]).slice(0, Math.max(0, lines - 1));
  const width = Math.max(0, ...shown.map((m) => m.name.length));
  const text = shown.map((m) => `  ${MARK[m.state]} ${m.name.padEnd(width)}  ${m.server.padEnd(8)}  ${doing(m, now)}`);
  return shown.length < machines.length ? [...text, `    and ${machines.length - shown.length} more`] : text;
}

/**
 * What began or ended since the last call, a line for each: `web-cp-1 kubeadm-init: done in 9.5 s`.
 *
 * @param told - what was told before, by machine and step; is changed
 */
export function machineNews(machines: readonly MachineProgress[], told: Map<string, string>): string[] {
  return machines.flatMap((m) =>
    m.steps.flatMap((s) => {
      const what = `${m.name} ${s.name}`;
      const now = `${s.startedAt} ${s.state}`;
      if (told.get(what) === now) return [];
      told.set(what, now);
      const state = s.state === 'running' ? 'running' : standing(s, 0).slice(s.name.length + 1);
      return [`${what}: ${state}`];
    }),
  );
}

/** What bootstrap-worker writes into an event when a step fails; a long log comes in several. */
const FAILED = /^(\S+) failed(?: \((\d+)\/(\d+)\))?:\n([\s\S]*)$/;

/** The last line of what a machine wrote when a step failed, from its events; undefined where none is kept any more. */
export function lastLogLine(machine: string, step: string, events: readonly EventLine[]): string | undefined {
  for (const e of [...events].reverse()) {
    if (e.reason !== 'StepFailed' || e.object !== `Machine/${machine}`) continue;
    const [, name, part, parts, log] = FAILED.exec(e.message) ?? [];
    // Only the last part of a log has its last line.
    if (name !== step || part !== parts) continue;
    return log
      ?.split('\n')
      .map((l) => l.trim())
      .filter((l) => l !== '')
      .at(-1);
  }
  return undefined;
}

/** Rows of a table of steps: machine, step, state, how long ago it began, how long it took or runs, last line of its log. */
export const stepRows = (
  machines: readonly Pick<MachineProgress, 'name' | 'steps'>[],
  events: readonly EventLine[],
  now: number,
): string[][] =>
  machines.flatMap((m) =>
    m.steps.map((s) => [
      m.name,
      s.name,
      s.state,
      s.startedAt ? `${age(s.startedAt, now)} ago` : '-',
      s.seconds !== undefined ? seconds(s.seconds) : s.state === 'running' ? `${took(s, now)} s so far` : '-',
      s.state === 'failed' ? (lastLogLine(m.name, s.name, events) ?? '-') : '-',
    ]),
  );
