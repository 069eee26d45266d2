import { rfc3339 } from '../../kubernetes/types.ts';
import { at, list, record, text } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { keyOf } from './objects.ts';
import { setStatus } from './status.ts';

/** How an APIService stands, in the words of kube-aggregator. */
interface Verdict {
  status: 'True' | 'False';
  reason: string;
  message: string;
}

/** Whether the Service behind an APIService answers: a simulated pod that is Ready does. */
function verdict(x: Context, service: { namespace: string; name: string } | undefined): Verdict {
  if (!service) return { status: 'True', reason: 'Local', message: 'Local APIServices are always available' };
  const words = `service/${service.name} in "${service.namespace}"`;
  if (!x.resources.of('Service').get(service))
    return { status: 'False', reason: 'ServiceNotFound', message: `${words} is not present` };
  const ready = list(at(x.resources.of('Endpoints').get(service), 'subsets')).some(
    (s) => list(record(s).addresses).length > 0,
  );
  return ready
    ? { status: 'True', reason: 'Passed', message: 'all checks passed' }
    : { status: 'False', reason: 'MissingEndpoints', message: `endpoints for ${words} have no addresses` };
}

/** Says of each APIService whether its server is there. What that server would answer is not simulated. */
export const apiServices = (x: Context): Controller => {
  const serviceOf = (o: unknown) => {
    const { namespace, name } = record(at(o, 'spec', 'service'));
    return name === undefined ? undefined : { namespace: text(namespace), name: text(name) };
  };
  const behind = (key: string): string[] =>
    x.server.store.count('apiservices.apiregistration.k8s.io') === 0
      ? []
      : x.resources
          .of('APIService')
          .list()
          .filter((a) => {
            const s = serviceOf(a);
            return s !== undefined && `${s.namespace}/${s.name}` === key;
          })
          .map(keyOf);
  return {
    name: 'api-services',
    sees: {
      'apiservices.apiregistration.k8s.io': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
      services: ({ object }) => behind(keyOf(object)),
      endpoints: ({ object }) => behind(keyOf(object)),
    },
    reconcile(name) {
      const found = x.resources.of('APIService').get({ name });
      if (!found) return;
      const now = verdict(x, serviceOf(found));
      const before = list(at(found, 'status', 'conditions')).map(record);
      const had = before.find((c) => c.type === 'Available');
      if (had && had.status === now.status && had.reason === now.reason) return;
      const lastTransitionTime = had?.status === now.status ? had.lastTransitionTime : rfc3339(x.clock.now());
      setStatus(x, 'APIService', found, {
        conditions: [
          ...before.filter((c) => c.type !== 'Available'),
          { type: 'Available', lastTransitionTime, ...now },
        ],
      });
    },
  };
};
