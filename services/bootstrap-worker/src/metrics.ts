import type { Registry } from '@shoto/service';
import { Counter, Histogram } from 'prom-client';

/** What this service counts. */
export interface Metrics {
  /** Answers to check-ins: install, wait, done, refused, error. */
  checkIns: Counter<'result'>;
  /** Refused check-ins and step reports, by reason. */
  refusals: Counter<'reason'>;
  /** Seconds that steps took, as the machines say. */
  steps: Histogram<'step' | 'result'>;
  /** Kubeconfigs handed out to people. */
  kubeconfigs: Counter<'cluster'>;
}

/** Registers the metrics of this service. */
export function createServiceMetrics(registry: Registry): Metrics {
  const registers = [registry];
  return {
    checkIns: new Counter({
      name: 'shoto_check_ins_total',
      help: 'Answered check-ins',
      labelNames: ['result'],
      registers,
    }),
    refusals: new Counter({
      name: 'shoto_tickets_refused_total',
      help: 'Refused machines',
      labelNames: ['reason'],
      registers,
    }),
    steps: new Histogram({
      name: 'shoto_machine_step_seconds',
      help: 'How long the steps of machines took',
      labelNames: ['step', 'result'],
      buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640],
      registers,
    }),
    kubeconfigs: new Counter({
      name: 'shoto_kubeconfigs_total',
      help: 'Kubeconfigs for people',
      labelNames: ['cluster'],
      registers,
    }),
  };
}
