import type { KubeObject } from '../types.ts';
import { at, isRecord, list, record, text } from '../util/json.ts';

import { ageOf } from './duration.ts';
import { accessModes, type Cells, conditionOf, count, orNone, orUnset, pairs, selectorText } from './format.ts';

const age = (o: KubeObject, nowMs: number): string => ageOf(o.metadata.creationTimestamp, nowMs);

const nodes: Cells = (o, nowMs) => {
  const ready = conditionOf(o.status, 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (at(o, 'spec', 'unschedulable') === true) words.push('SchedulingDisabled');
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.entries(o.metadata.labels ?? {})
    .flatMap(([k, v]) => (k.startsWith(prefix) ? [k.slice(prefix.length)] : k === 'kubernetes.io/role' && v ? [v] : []))
    .sort();
  const address = (type: string): string =>
    orNone(
      list(at(o, 'status', 'addresses'))
        .filter(isRecord)
        .find((a) => a.type === type)?.address,
    );
  const info = record(at(o, 'status', 'nodeInfo'));
  return [
    o.metadata.name,
    words.join(','),
    roles.length === 0 ? '<none>' : roles.join(','),
    age(o, nowMs),
    text(info.kubeletVersion),
    address('InternalIP'),
    address('ExternalIP'),
    orNone(info.osImage, '<unknown>'),
    orNone(info.kernelVersion, '<unknown>'),
    orNone(info.containerRuntimeVersion, '<unknown>'),
  ];
};

const events: Cells = (o, nowMs) => {
  const involved = record(o.involvedObject);
  const first = text(o.firstTimestamp) || text(o.eventTime);
  const series = record(o.series);
  const last = text(series.lastObservedTime) || text(o.lastTimestamp) || first;
  const source = record(o.source);
  const component = text(source.component) || text(o.reportingComponent);
  return [
    last === '' ? '<unknown>' : ageOf(last, nowMs),
    text(o.type),
    text(o.reason),
    `${text(involved.kind).toLowerCase()}${involved.name ? `/${text(involved.name)}` : ''}`,
    text(involved.fieldPath),
    [component, text(source.host) || text(o.reportingInstance)].filter((s) => s !== '').join(', '),
    text(o.message ?? o.note).trim(),
    first === '' ? '<unknown>' : ageOf(first, nowMs),
    count(series.count) || count(o.count) || 1,
    o.metadata.name,
  ];
};

/** events.k8s.io and core show the same row. */
const eventRow: Cells = (o, nowMs) =>
  events(
    o.regarding === undefined
      ? o
      : {
          ...o,
          involvedObject: o.regarding,
          source: o.deprecatedSource,
          firstTimestamp: o.deprecatedFirstTimestamp,
          lastTimestamp: o.deprecatedLastTimestamp,
          count: o.deprecatedCount,
          reportingComponent: o.reportingController,
        },
    nowMs,
  );

function externalIp(o: KubeObject): string {
  const spec = record(o.spec);
  const own = list(spec.externalIPs).map(text);
  if (spec.type === 'ExternalName') return text(spec.externalName);
  if (spec.type === 'LoadBalancer') {
    const given = list(at(o, 'status', 'loadBalancer', 'ingress'))
      .map((i) => text(record(i).ip) || text(record(i).hostname))
      .concat(own);
    return given.length === 0 ? '<pending>' : given.join(',');
  }
  return own.length === 0 ? '<none>' : own.join(',');
}

const services: Cells = (o, nowMs) => {
  const spec = record(o.spec);
  const ports = list(spec.ports)
    .filter(isRecord)
    .map((p) => `${String(p.port)}${p.nodePort ? `:${String(p.nodePort)}` : ''}/${text(p.protocol)}`);
  return [
    o.metadata.name,
    text(spec.type),
    orNone(spec.clusterIP),
    externalIp(o),
    ports.length === 0 ? '<none>' : ports.join(','),
    age(o, nowMs),
    pairs(spec.selector),
  ];
};

const endpoints: Cells = (o, nowMs) => {
  const all = list(o.subsets)
    .filter(isRecord)
    .flatMap((s) =>
      list(s.addresses).flatMap((a) =>
        list(s.ports).length === 0
          ? [text(record(a).ip)]
          : list(s.ports).map((p) => `${text(record(a).ip)}:${String(record(p).port)}`),
      ),
    );
  const shown = all.slice(0, 3).join(',');
  return [
    o.metadata.name,
    all.length === 0 ? '<none>' : all.length > 3 ? `${shown} + ${all.length - 3} more...` : shown,
    age(o, nowMs),
  ];
};

const binding: Cells = (o, nowMs) => {
  const of = (kind: string): string =>
    list(o.subjects)
      .filter(isRecord)
      .filter((s) => s.kind === kind)
      .map((s) => (kind === 'ServiceAccount' ? `${text(s.namespace)}/${text(s.name)}` : text(s.name)))
      .join(', ');
  return [
    o.metadata.name,
    `${text(record(o.roleRef).kind)}/${text(record(o.roleRef).name)}`,
    age(o, nowMs),
    of('User'),
    of('Group'),
    of('ServiceAccount'),
  ];
};

const volumeStatus = (o: KubeObject): string =>
  o.metadata.deletionTimestamp ? 'Terminating' : text(at(o, 'status', 'phase'));
const webhooks: Cells = (o, nowMs) => [o.metadata.name, list(o.webhooks).length, age(o, nowMs)];

/** Rows of kinds other than workloads. */
export const clusterCells: Record<string, Cells> = {
  nodes,
  events: eventRow,
  services,
  endpoints,
  namespaces: (o, nowMs) => [o.metadata.name, text(at(o, 'status', 'phase')), age(o, nowMs)],
  configmaps: (o, nowMs) => [
    o.metadata.name,
    Object.keys(record(o.data)).length + Object.keys(record(o.binaryData)).length,
    age(o, nowMs),
  ],
  secrets: (o, nowMs) => [o.metadata.name, text(o.type), Object.keys(record(o.data)).length, age(o, nowMs)],
  persistentvolumeclaims: (o, nowMs) => [
    o.metadata.name,
    volumeStatus(o),
    text(at(o, 'spec', 'volumeName')),
    text(at(o, 'status', 'capacity', 'storage')),
    accessModes(at(o, 'status', 'accessModes')),
    text(at(o, 'spec', 'storageClassName')),
    orUnset(at(o, 'spec', 'volumeAttributesClassName')),
    age(o, nowMs),
    orUnset(at(o, 'spec', 'volumeMode')),
  ],
  persistentvolumes: (o, nowMs) => {
    const claim = record(at(o, 'spec', 'claimRef'));
    return [
      o.metadata.name,
      text(at(o, 'spec', 'capacity', 'storage')),
      accessModes(at(o, 'spec', 'accessModes')),
      text(at(o, 'spec', 'persistentVolumeReclaimPolicy')),
      volumeStatus(o),
      claim.name ? `${text(claim.namespace)}/${text(claim.name)}` : '',
      text(at(o, 'spec', 'storageClassName')),
      orUnset(at(o, 'spec', 'volumeAttributesClassName')),
      text(at(o, 'status', 'reason')),
      age(o, nowMs),
      orUnset(at(o, 'spec', 'volumeMode')),
    ];
  },
  resourcequotas: (o, nowMs) => {
    const hard = record(at(o, 'status', 'hard'));
    const used = record(at(o, 'status', 'used'));
    const row = (limits: boolean): string =>
      Object.keys(hard)
        .sort()
        .filter((k) => k.startsWith('limits') === limits)
        .map((k) => `${k}: ${String(used[k] ?? 0)}/${String(hard[k])}`)
        .join(', ');
    return [o.metadata.name, row(false), row(true), age(o, nowMs)];
  },
  'leases.coordination.k8s.io': (o, nowMs) => [o.metadata.name, text(at(o, 'spec', 'holderIdentity')), age(o, nowMs)],
  'rolebindings.rbac.authorization.k8s.io': binding,
  'clusterrolebindings.rbac.authorization.k8s.io': binding,
  'networkpolicies.networking.k8s.io': (o, nowMs) => [
    o.metadata.name,
    selectorText(at(o, 'spec', 'podSelector')),
    age(o, nowMs),
  ],
  'ingresses.networking.k8s.io': (o, nowMs) => {
    const hosts = list(at(o, 'spec', 'rules')).map((r) => text(record(r).host) || '*');
    const addresses = list(at(o, 'status', 'loadBalancer', 'ingress')).map(
      (i) => text(record(i).ip) || text(record(i).hostname),
    );
    return [
      o.metadata.name,
      orNone(at(o, 'spec', 'ingressClassName')),
      hosts.length === 0 ? '*' : hosts.join(','),
      addresses.join(','),
      list(at(o, 'spec', 'tls')).length > 0 ? '80, 443' : '80',
      age(o, nowMs),
    ];
  },
  'ingressclasses.networking.k8s.io': (o, nowMs) => {
    const p = record(at(o, 'spec', 'parameters'));
    return [
      o.metadata.name,
      text(at(o, 'spec', 'controller')),
      p.name ? `${text(p.kind)}${p.apiGroup ? `.${text(p.apiGroup)}` : ''}/${text(p.name)}` : '<none>',
      age(o, nowMs),
    ];
  },
  'storageclasses.storage.k8s.io': (o, nowMs) => {
    const standard = o.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';
    return [
      `${o.metadata.name}${standard ? ' (default)' : ''}`,
      text(o.provisioner),
      text(o.reclaimPolicy),
      text(o.volumeBindingMode),
      o.allowVolumeExpansion === true,
      age(o, nowMs),
    ];
  },
  'volumeattachments.storage.k8s.io': (o, nowMs) => [
    o.metadata.name,
    text(at(o, 'spec', 'attacher')),
    text(at(o, 'spec', 'source', 'persistentVolumeName')),
    text(at(o, 'spec', 'nodeName')),
    at(o, 'status', 'attached') === true,
    age(o, nowMs),
  ],
  'csinodes.storage.k8s.io': (o, nowMs) => [o.metadata.name, list(at(o, 'spec', 'drivers')).length, age(o, nowMs)],
  'csidrivers.storage.k8s.io': (o, nowMs) => {
    const s = record(o.spec);
    const tokens = list(s.tokenRequests).map((t) => text(record(t).audience));
    return [
      o.metadata.name,
      s.attachRequired !== false,
      s.podInfoOnMount === true,
      s.storageCapacity === true,
      tokens.length === 0 ? '<unset>' : tokens.join(','),
      s.requiresRepublish === true,
      list(s.volumeLifecycleModes).map(text).join(','),
      age(o, nowMs),
    ];
  },
  'priorityclasses.scheduling.k8s.io': (o, nowMs) => [
    o.metadata.name,
    count(o.value),
    o.globalDefault === true,
    age(o, nowMs),
    text(o.preemptionPolicy),
  ],
  'runtimeclasses.node.k8s.io': (o, nowMs) => [o.metadata.name, text(o.handler), age(o, nowMs)],
  'endpointslices.discovery.k8s.io': (o, nowMs) => {
    const ports = list(o.ports).map((p) => String(record(p).port));
    const ips = list(o.endpoints).flatMap((e) => list(record(e).addresses).map(text));
    return [
      o.metadata.name,
      text(o.addressType),
      ports.length === 0 ? '<unset>' : ports.join(','),
      ips.length === 0 ? '<unset>' : ips.slice(0, 3).join(',') + (ips.length > 3 ? ` + ${ips.length - 3} more...` : ''),
      age(o, nowMs),
    ];
  },
  'certificatesigningrequests.certificates.k8s.io': (o, nowMs) => {
    const spec = record(o.spec);
    const is = (type: string): boolean => conditionOf(o.status, type) !== undefined;
    const words = [is('Denied') ? 'Denied' : is('Approved') ? 'Approved' : 'Pending'];
    if (is('Failed')) words.push('Failed');
    if (at(o, 'status', 'certificate')) words.push('Issued');
    const seconds = spec.expirationSeconds;
    return [
      o.metadata.name,
      age(o, nowMs),
      text(spec.signerName),
      text(spec.username),
      typeof seconds === 'number' ? `${seconds}s` : '<none>',
      words.join(','),
    ];
  },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhooks,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhooks,
  'validatingadmissionpolicies.admissionregistration.k8s.io': (o, nowMs) => {
    const p = record(at(o, 'spec', 'paramKind'));
    return [
      o.metadata.name,
      list(at(o, 'spec', 'validations')).length,
      p.kind ? `${text(p.apiVersion)}/${text(p.kind)}` : '<unset>',
      age(o, nowMs),
    ];
  },
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': (o, nowMs) => [
    o.metadata.name,
    text(at(o, 'spec', 'policyName')),
    orUnset(at(o, 'spec', 'paramRef', 'name')),
    age(o, nowMs),
  ],
  'apiservices.apiregistration.k8s.io': (o, nowMs) => {
    const service = record(at(o, 'spec', 'service'));
    const available = conditionOf(o.status, 'Available');
    return [
      o.metadata.name,
      service.name === undefined ? 'Local' : `${text(service.namespace)}/${text(service.name)}`,
      available === undefined || available.status === 'True'
        ? (available?.status ?? 'Unknown')
        : `${available.status} (${available.reason})`,
      age(o, nowMs),
    ];
  },
  'flowschemas.flowcontrol.apiserver.k8s.io': (o, nowMs) => [
    o.metadata.name,
    text(at(o, 'spec', 'priorityLevelConfiguration', 'name')),
    count(at(o, 'spec', 'matchingPrecedence')),
    orNone(at(o, 'spec', 'distinguisherMethod', 'type')),
    age(o, nowMs),
    conditionOf(o.status, 'Dangling')?.status ?? '?',
  ],
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': (o, nowMs) => {
    const queuing = record(at(o, 'spec', 'limited', 'limitResponse', 'queuing'));
    return [
      o.metadata.name,
      text(at(o, 'spec', 'type')),
      orNone(at(o, 'spec', 'limited', 'nominalConcurrencyShares')),
      orNone(queuing.queues),
      orNone(queuing.handSize),
      orNone(queuing.queueLengthLimit),
      age(o, nowMs),
    ];
  },
};
