import { crdStrategy } from '../crd/strategy.ts';
import type { Strategy } from '../registry/resource-type.ts';
import {
  configMapStrategy,
  eventStrategy,
  namespaceStrategy,
  nodeStrategy,
  persistentVolumeClaimStrategy,
  persistentVolumeStrategy,
  secretStrategy,
} from './core.ts';
import * as others from './others.ts';
import { podStrategy } from './pods.ts';
import { serviceStrategy } from './services.ts';
import * as workloads from './workloads.ts';

/** Strategies by table name (`plural` or `plural.group`); a kind not listed has nothing particular. */
export const strategies: Record<string, Strategy> = {
  namespaces: namespaceStrategy,
  nodes: nodeStrategy,
  configmaps: configMapStrategy,
  secrets: secretStrategy,
  persistentvolumes: persistentVolumeStrategy,
  persistentvolumeclaims: persistentVolumeClaimStrategy,
  events: eventStrategy,
  pods: podStrategy,
  services: serviceStrategy,
  endpoints: others.endpointsStrategy,
  replicationcontrollers: workloads.replicationControllerStrategy,
  'deployments.apps': workloads.deploymentStrategy,
  'replicasets.apps': workloads.replicaSetStrategy,
  'daemonsets.apps': workloads.daemonSetStrategy,
  'statefulsets.apps': workloads.statefulSetStrategy,
  'jobs.batch': workloads.jobStrategy,
  'cronjobs.batch': workloads.cronJobStrategy,
  'poddisruptionbudgets.policy': others.podDisruptionBudgetStrategy,
  'ingresses.networking.k8s.io': others.ingressStrategy,
  'ingressclasses.networking.k8s.io': others.generationOnly,
  'networkpolicies.networking.k8s.io': others.networkPolicyStrategy,
  'endpointslices.discovery.k8s.io': others.generationOnly,
  'roles.rbac.authorization.k8s.io': others.roleStrategy,
  'clusterroles.rbac.authorization.k8s.io': others.roleStrategy,
  'rolebindings.rbac.authorization.k8s.io': others.bindingStrategy,
  'clusterrolebindings.rbac.authorization.k8s.io': others.bindingStrategy,
  'leases.coordination.k8s.io': others.leaseStrategy,
  'storageclasses.storage.k8s.io': others.storageClassStrategy,
  'csidrivers.storage.k8s.io': others.csiDriverStrategy,
  'priorityclasses.scheduling.k8s.io': others.priorityClassStrategy,
  'certificatesigningrequests.certificates.k8s.io': others.certificateSigningRequestStrategy,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': others.validatingWebhookStrategy,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': others.mutatingWebhookStrategy,
  'validatingadmissionpolicies.admissionregistration.k8s.io': others.generationOnly,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': others.generationOnly,
  'flowschemas.flowcontrol.apiserver.k8s.io': others.generationOnly,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': others.generationOnly,
  'apiservices.apiregistration.k8s.io': others.apiServiceStrategy,
  'horizontalpodautoscalers.autoscaling': others.autoscalerStrategy,
  'customresourcedefinitions.apiextensions.k8s.io': crdStrategy,
};
