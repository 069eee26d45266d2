import { rfc3339 } from '../../kubernetes/types.ts';
import { at, list, record } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { isPodActive, isPodReady, keyOf, refOf } from './objects.ts';
import { podFromTemplate } from './pod-template.ts';
import { ownersOf } from './replicasets.ts';
import { setStatus } from './status.ts';

const GVK = { apiVersion: 'batch/v1', kind: 'Job' };

/** Jobs: pods that run to their end, until enough have. In a simulated cluster they all succeed. */
export const jobs = (x: Context): Controller => ({
  name: 'jobs',
  sees: {
    'jobs.batch': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
    pods: ({ object }) => ownersOf('Job', object),
  },
  reconcile(key) {
    const job = x.resources.of('Job').get(refOf(key));
    if (!job || job.metadata.deletionTimestamp) return;
    const now = rfc3339(x.clock.now());
    const ended = list(at(job, 'status', 'conditions')).some((c) => record(c).type === 'Complete');
    const mine = x.pods.ofOwner(job.metadata.uid);
    const active = mine.filter(isPodActive);
    const succeeded = mine.filter((p) => at(p, 'status', 'phase') === 'Succeeded').length;
    const parallelism = Number(at(job, 'spec', 'parallelism') ?? 1);
    const completions = Number(at(job, 'spec', 'completions') ?? 1);
    if (ended) {
      const ttl = at(job, 'spec', 'ttlSecondsAfterFinished');
      if (typeof ttl !== 'number') return;
      const left = Date.parse(String(at(job, 'status', 'completionTime'))) + ttl * 1000 - x.clock.now();
      if (left <= 0) x.resources.of('Job').delete(refOf(key), { propagationPolicy: 'Background' });
      else x.engine.wakeAfter('jobs', key, left);
      return;
    }
    const suspended = at(job, 'spec', 'suspend') === true;
    const room = suspended ? 0 : Math.min(parallelism, completions - succeeded) - active.length;
    for (let i = 0; i < room; i++) x.resources.of('Pod').create(podFromTemplate(job, GVK));
    const running = x.pods.ofOwner(job.metadata.uid).filter(isPodActive);
    const complete = succeeded >= completions;
    setStatus(x, 'Job', job, {
      startTime: at(job, 'status', 'startTime') ?? now,
      active: running.length || null,
      ready: running.filter(isPodReady).length,
      succeeded: succeeded || null,
      ...(complete
        ? {
            completionTime: now,
            conditions: ['SuccessCriteriaMet', 'Complete'].map((type) => ({
              type,
              status: 'True',
              reason: 'CompletionsReached',
              message: 'Reached expected number of succeeded pods',
              lastProbeTime: now,
              lastTransitionTime: now,
            })),
          }
        : {}),
    });
  },
});
