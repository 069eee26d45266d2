import type { Cluster, Machine } from '@shoto/api';
import type { Clock, Logger, Registry } from '@shoto/service';
import { Gauge } from 'prom-client';
import type { Regions } from './region/regions.ts';
import { type Claims, findOrphans, orphansCondition } from './region/sweep.ts';

/** What the sweeper looks at. */
export interface SweeperOptions {
  regions: Regions;
  clusters: { list(): Cluster[] };
  machines: { list(): Machine[] };
  installation: string;
  /** One replica looks at each region. */
  owns: (region: string) => boolean;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  everyMs: number;
}

/**
 * Looks every now and then for things of ours in the clouds that belong to nobody, and reports them: a metric, one line in the log, a condition on the
 * Region. It never deletes. Returns what ends it.
 */
export function startSweeper(o: SweeperOptions): () => Promise<void> {
  const gauge = new Gauge({
    name: 'shoto_provisioner_orphans',
    help: 'Things of this installation in a cloud that belong to no Cluster and no Machine',
    labelNames: ['region'],
    registers: [o.metrics],
  });
  const stop = new AbortController();
  const once = async (): Promise<void> => {
    for (const region of o.regions.running()) {
      const { name } = region.region.metadata;
      if (!o.owns(name)) continue;
      try {
        const clusters = new Set(o.clusters.list().map((c) => c.metadata.uid));
        const machines = new Set(o.machines.list().map((m) => m.metadata.uid));
        const claims: Claims = { hasCluster: (uid) => clusters.has(uid), hasMachine: (uid) => machines.has(uid) };
        const orphans = await findOrphans(region, o.installation, claims, o.clock.now());
        gauge.set({ region: name }, orphans.length);
        if (orphans.length > 0)
          o.log.warn(
            { region: name, count: orphans.length, orphans: orphans.slice(0, 20) },
            'things of ours belong to nobody',
          );
        const condition = orphansCondition(orphans, region.region.status?.provisioner?.conditions);
        if (condition) await o.regions.state(name, [condition]);
      } catch (err) {
        o.log.warn({ region: name, err }, 'could not look for things that belong to nobody');
      }
    }
  };
  const run = async (): Promise<void> => {
    for (;;) {
      await o.clock.sleep(o.everyMs, stop.signal);
      if (stop.signal.aborted) return;
      await once();
    }
  };
  const running = run();
  return async () => {
    stop.abort();
    await running;
  };
}
