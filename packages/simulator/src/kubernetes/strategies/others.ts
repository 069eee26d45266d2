import type { Strategy } from '../registry/resource-type.ts';
import type { KubeObject } from '../types.ts';
import { invalidValue } from '../util/field-errors.ts';
import { equal, isRecord, list, record, text } from '../util/json.ts';

const rbac = 'rbac.authorization.k8s.io';

/** RoleBindings and ClusterRoleBindings: the role cannot change. */
export const bindingStrategy: Strategy = {
  createOnUpdate: true,
  defaults: (o) => {
    if (isRecord(o.roleRef)) o.roleRef.apiGroup ||= rbac;
    for (const s of list(o.subjects)) if (isRecord(s) && s.kind !== 'ServiceAccount') s.apiGroup ||= rbac;
  },
  validate: (o, old) =>
    old && !equal(old.roleRef, o.roleRef) ? [invalidValue('roleRef', o.roleRef, 'cannot change roleRef')] : [],
};

export const roleStrategy: Strategy = { createOnUpdate: true };

export const leaseStrategy: Strategy = { createOnUpdate: true };

export const endpointsStrategy: Strategy = { createOnUpdate: true };

export const generationOnly: Strategy = { generation: true };

export const podDisruptionBudgetStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }),
};

export const ingressStrategy: Strategy = { generation: true, initialStatus: () => ({ loadBalancer: {} }) };

export const networkPolicyStrategy: Strategy = {
  generation: true,
  defaults: (o) => {
    if (isRecord(o.spec)) o.spec.policyTypes ??= o.spec.egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  },
};

export const storageClassStrategy: Strategy = {
  defaults: (o) => {
    o.reclaimPolicy ??= 'Delete';
    o.volumeBindingMode ??= 'Immediate';
  },
};

export const csiDriverStrategy: Strategy = {
  defaults: (o) => {
    if (!isRecord(o.spec)) return;
    o.spec.attachRequired ??= true;
    o.spec.podInfoOnMount ??= false;
    o.spec.storageCapacity ??= false;
    o.spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    o.spec.volumeLifecycleModes ??= ['Persistent'];
    o.spec.requiresRepublish ??= false;
    o.spec.seLinuxMount ??= false;
  },
};

export const priorityClassStrategy: Strategy = {
  generation: true,
  defaults: (o) => {
    o.preemptionPolicy ??= 'PreemptLowerPriority';
  },
};

/** Who asks for a certificate is written by the server, never by the asker. */
export const certificateSigningRequestStrategy: Strategy = {
  initialStatus: () => ({}),
  onCreate: (o, { user }) => {
    const spec = record(o.spec);
    spec.username = user.name;
    spec.groups = user.groups;
    if (user.uid) spec.uid = user.uid;
    if (user.extra && Object.keys(user.extra).length > 0) spec.extra = user.extra;
  },
  onUpdate: (o, old) => {
    o.spec = old.spec;
  },
  fields: (o) => ({ 'spec.signerName': text(record(o.spec).signerName) }),
};

function defaultWebhooks(o: KubeObject): void {
  for (const hook of list(o.webhooks)) {
    if (!isRecord(hook)) continue;
    hook.failurePolicy ??= 'Fail';
    hook.matchPolicy ??= 'Equivalent';
    hook.timeoutSeconds ??= 10;
    hook.namespaceSelector ??= {};
    hook.objectSelector ??= {};
    for (const rule of list(hook.rules)) if (isRecord(rule)) rule.scope ??= '*';
    const service = record(hook.clientConfig).service;
    if (isRecord(service)) service.port ??= 443;
  }
}

export const validatingWebhookStrategy: Strategy = { generation: true, defaults: defaultWebhooks };

export const mutatingWebhookStrategy: Strategy = {
  generation: true,
  defaults: (o) => {
    defaultWebhooks(o);
    for (const hook of list(o.webhooks)) if (isRecord(hook)) hook.reinvocationPolicy ??= 'Never';
  },
};

export const apiServiceStrategy: Strategy = {
  initialStatus: () => ({}),
  defaults: (o) => {
    const service = record(o.spec).service;
    if (isRecord(service)) service.port ??= 443;
  },
};

export const autoscalerStrategy: Strategy = {
  initialStatus: () => ({ desiredReplicas: 0 }),
  defaults: (o) => {
    if (isRecord(o.spec)) o.spec.minReplicas ??= 1;
  },
};
