import type { System } from '@shoto/supervisor';
import { covered } from './statistics.ts';

/** A latency that the simulator drew. */
interface Wait {
  operation: string;
  about: string;
  at: number;
  ms: number;
}

/** A cluster whose waits are looked for. */
export interface Waiting {
  name: string;
  /** Names and ids of what is its own: its machines, servers, ports, network, load balancer, ... */
  own: string[];
  /** Milliseconds since 1970. */
  asked: number;
  ready: number;
}

/** Tells the simulator to record every latency that it draws from now on. */
export async function recordWaits(system: System): Promise<void> {
  const answer = await fetch(`${system.simulator!.adminUrl}/waits`, {
    method: 'PUT',
    body: JSON.stringify({ record: true }),
  });
  if (!answer.ok) throw new Error(`the simulator does not record waits: ${answer.status} ${await answer.text()}`);
}

/** Every latency since {@link recordWaits}. */
export async function recordedWaits(system: System): Promise<Wait[]> {
  const answer = await fetch(`${system.simulator!.adminUrl}/waits`);
  return ((await answer.json()) as { waits: Wait[] }).waits;
}

/**
 * Seconds of each cluster in which nothing simulated kept it waiting: from its request until it is ready, less all times at which at least one latency
 * about it or something of its own was running. A wait that is nobody's (the list of all servers) counts as ours.
 */
export function ownSeconds(clusters: readonly Waiting[], waits: readonly Wait[]): number[] {
  const owners = new Map(clusters.flatMap((c) => [c.name, ...c.own].map((name) => [name, c.name] as const)));
  const intervals = new Map(clusters.map((c) => [c.name, [] as { from: number; to: number }[]]));
  for (const wait of waits) {
    const owner = wait.about
      .split(/[\s/?=&]+/)
      .map((word) => owners.get(word) ?? owners.get(/^shoto-(.+)-[0-9a-f]{8}(-.*)?$/.exec(word)?.[1] ?? ''))
      .find((name) => name !== undefined);
    if (owner) intervals.get(owner)?.push({ from: wait.at, to: wait.at + wait.ms });
  }
  return clusters.map((c) => (c.ready - c.asked - covered(intervals.get(c.name) ?? [], c.asked, c.ready)) / 1000);
}
