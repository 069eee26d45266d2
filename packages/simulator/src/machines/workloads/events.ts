import type { KubeObject } from '../../kubernetes/index.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import type { Context } from './context.ts';

/** Says something of an object in an Event, as scheduler, kubelet and controllers do. */
export function say(
  x: Context,
  about: KubeObject,
  e: { type: 'Normal' | 'Warning'; reason: string; message: string; component: string },
): void {
  const now = rfc3339(x.clock.now());
  const { name, namespace, uid } = about.metadata;
  const where = namespace ?? 'default';
  if (x.resources.of('Namespace').get({ name: where })?.metadata.deletionTimestamp) return;
  x.resources.of('Event').create({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${Math.floor(x.random.next() * 2 ** 48).toString(16)}`, namespace: where },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name,
      ...(namespace ? { namespace } : {}),
      uid,
    },
    type: e.type,
    reason: e.reason,
    message: e.message,
    source: { component: e.component },
    reportingComponent: e.component,
    reportingInstance: '',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  });
}
