import { readdirSync, readFileSync } from 'node:fs';

/** Processes by group: `services/provisioner`, `simulator`, `redis`, ... */
export type Processes = Record<string, number>;

/** Clock ticks a second: Linux answers 100 to every program, whatever the kernel's own rate. */
const TICKS = 100;

/** User and system time of a process and of all its children, in seconds. @throws {Error} ENOENT where it has ended */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [utime = 0, stime = 0, childUser = 0, childSystem = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  const running = childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), 0);
  return (utime + stime + childUser + childSystem) / TICKS + running;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** The most memory that a process ever held, in MiB. */
export function peakRssMiB(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) / 1024;
}

/** CPU seconds of each process so far. */
export const cpuOf = (processes: Processes): Record<string, number> =>
  Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, cpuSeconds(pid)]));

/** What each number grew by. A name that was not there before counts from 0. */
export const growth = (before: Record<string, number>, after: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));

/** The sum of the numbers whose name `wanted` accepts. */
export const sumOf = (numbers: Record<string, number>, wanted: (name: string) => boolean = () => true): number =>
  Object.entries(numbers).reduce((sum, [name, value]) => (wanted(name) ? sum + value : sum), 0);
