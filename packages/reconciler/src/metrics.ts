import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The metrics of one engine. */
export interface EngineMetrics {
  reconciles: Counter<'queue' | 'result'>;
  duration: Histogram<'queue'>;
  latency: Histogram<'queue'>;
  errors: Counter<'queue' | 'reason'>;
  stateLost: Counter<'cause'>;
  workersRemade: Counter<'queue'>;
}

/** @param depths - reads the depth of each queue, at each scrape */
export function createEngineMetrics(
  registry: Registry | undefined,
  depths: () => Promise<Map<string, number>>,
): EngineMetrics {
  const registers = [registry ?? new Registry()];
  new Gauge({
    name: 'shoto_queue_depth',
    help: 'Keys that wait for a pass',
    labelNames: ['queue'],
    registers,
    async collect() {
      this.reset();
      for (const [queue, depth] of await depths()) this.set({ queue }, depth);
    },
  });
  const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60];
  return {
    reconciles: new Counter({
      name: 'shoto_reconcile_total',
      help: 'Passes by result: ok, requeue, retryable, terminal, waiting, cancelled',
      labelNames: ['queue', 'result'],
      registers,
    }),
    duration: new Histogram({
      name: 'shoto_reconcile_duration_seconds',
      help: 'Time of a pass',
      labelNames: ['queue'],
      buckets: seconds,
      registers,
    }),
    latency: new Histogram({
      name: 'shoto_queue_latency_seconds',
      help: 'From the wake-up of a key to the start of its pass',
      labelNames: ['queue'],
      buckets: seconds,
      registers,
    }),
    errors: new Counter({
      name: 'shoto_reconcile_errors_total',
      help: 'Passes that ended in an error, by reason',
      labelNames: ['queue', 'reason'],
      registers,
    }),
    stateLost: new Counter({
      name: 'shoto_redis_state_lost_total',
      help: 'How often Redis was seen to have lost state, by what told it',
      labelNames: ['cause'],
      registers,
    }),
    workersRemade: new Counter({
      name: 'shoto_queue_workers_remade_total',
      help: 'Workers made anew because they took nothing while keys waited',
      labelNames: ['queue'],
      registers,
    }),
  };
}
