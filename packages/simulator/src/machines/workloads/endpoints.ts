import type { KubeObject } from '../../kubernetes/index.ts';
import { at, equal, isRecord, list, record, text } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { isPodActive, isPodReady, keyOf, ownedBy, refOf } from './objects.ts';

const API = { namespace: 'default', name: 'kubernetes' };
const API_PORT = 6443;

interface Backend {
  address: string;
  ready: boolean;
  node?: string;
  pod?: KubeObject;
}
interface Port {
  name: string;
  port: number;
  protocol: string;
}

/** Endpoints and EndpointSlices of Services, and of the API server itself. */
export function endpoints(x: Context, members: () => { address: string; running: boolean }[]): Controller {
  const write = (service: KubeObject, backends: Backend[], ports: Port[], prefix: string): void => {
    const { namespace = '', name, labels } = service.metadata;
    const target = (b: Backend): object =>
      b.pod
        ? {
            nodeName: b.node,
            targetRef: { kind: 'Pod', name: b.pod.metadata.name, namespace, uid: b.pod.metadata.uid },
          }
        : {};
    const part = (ready: boolean): object[] =>
      backends.filter((b) => b.ready === ready).map((b) => ({ ip: b.address, ...target(b) }));
    const subset = {
      ...(part(true).length > 0 ? { addresses: part(true) } : {}),
      ...(part(false).length > 0 ? { notReadyAddresses: part(false) } : {}),
      ports,
    };
    const subsets = backends.length === 0 ? [] : [subset];
    put('Endpoints', { namespace, name }, { subsets }, () => ({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name, namespace, labels: { ...labels, 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } },
    }));
    const slice = {
      ports,
      endpoints: backends.map((b) => ({
        addresses: [b.address],
        conditions: { ready: b.ready, serving: b.ready, terminating: false },
        ...target(b),
      })),
    };
    put('EndpointSlice', { namespace, name: prefix }, slice, () => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      addressType: 'IPv4',
      metadata: {
        name: prefix,
        namespace,
        labels: {
          ...labels,
          'kubernetes.io/service-name': name,
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [ownedBy(service, 'v1', 'Service')],
      },
    }));
  };

  const put = (
    kind: 'Endpoints' | 'EndpointSlice',
    ref: { namespace: string; name: string },
    content: Record<string, unknown>,
    make: () => Record<string, unknown>,
  ): void => {
    const resource = x.resources.of(kind);
    const there = resource.get(ref);
    if (!there) resource.create({ ...make(), ...content });
    else if (!Object.entries(content).every(([k, v]) => equal(there[k] ?? [], v)))
      resource.update(ref, (copy) => Object.assign(copy, content));
  };

  const portsOf = (service: KubeObject, pods: KubeObject[]): Port[] =>
    list(at(service, 'spec', 'ports'))
      .filter(isRecord)
      .map((p) => {
        const target = p.targetPort ?? p.port;
        const named = pods
          .flatMap((pod) => list(at(pod, 'spec', 'containers')))
          .flatMap((c) => list(record(c).ports))
          .find((c) => record(c).name === target);
        const port = typeof target === 'number' ? target : Number(record(named).containerPort ?? p.port);
        return { name: text(p.name), port, protocol: text(p.protocol) || 'TCP' };
      });

  const servicesOf = (pod: KubeObject): string[] =>
    x.resources
      .of('Service')
      .list({ namespace: pod.metadata.namespace ?? '' })
      .filter((s) => {
        const wanted = Object.entries(record(at(s, 'spec', 'selector')));
        return wanted.length > 0 && wanted.every(([k, v]) => pod.metadata.labels?.[k] === v);
      })
      .map(keyOf);

  return {
    name: 'endpoints',
    sees: {
      services: ({ type, object }) =>
        type === 'DELETED' && keyOf(object) === 'default/kubernetes' ? [] : [keyOf(object)],
      pods: ({ object, previous }) =>
        previous &&
        isPodReady(previous) === isPodReady(object) &&
        at(previous, 'status', 'podIP') === at(object, 'status', 'podIP')
          ? []
          : servicesOf(object),
    },
    reconcile(key) {
      const service = x.resources.of('Service').get(refOf(key));
      if (!service) {
        x.resources.of('Endpoints').delete(refOf(key));
        return;
      }
      if (key === `${API.namespace}/${API.name}`) {
        const up = members().filter((m) => m.running);
        write(
          service,
          up.map((m) => ({ address: m.address, ready: true })),
          [{ name: 'https', port: API_PORT, protocol: 'TCP' }],
          API.name,
        );
        return;
      }
      const selector = Object.entries(record(at(service, 'spec', 'selector')));
      if (selector.length === 0) return;
      const pods = x.resources
        .of('Pod')
        .list({
          namespace: service.metadata.namespace ?? '',
          labelSelector: selector.map(([k, v]) => `${k}=${String(v)}`).join(','),
        })
        .filter((p) => isPodActive(p) && text(at(p, 'status', 'podIP')) !== '');
      const backends = pods.map((pod) => ({
        address: text(at(pod, 'status', 'podIP')),
        ready: isPodReady(pod),
        node: text(at(pod, 'spec', 'nodeName')),
        pod,
      }));
      write(
        service,
        backends,
        portsOf(service, pods),
        `${service.metadata.name}-${(service.metadata.uid ?? '').slice(0, 5)}`,
      );
    },
  };
}
