import type { Clock } from '../../core/clock.ts';
import type { Latency } from '../../core/latency.ts';
import type { Random } from '../../core/random.ts';
import type { ApiServer, LocalResource, LocalType } from '../../kubernetes/index.ts';
import type { Engine } from './engine.ts';
import type { PodIndex } from './pod-index.ts';

/** What a controller-manager, scheduler or kubelet of one cluster works with. */
export interface Context {
  server: ApiServer;
  clock: Clock;
  latency: Latency;
  random: Random;
  engine: Engine;
  pods: PodIndex;
  resources: Resources;
  /** Whether the kubelet of a node runs and reaches the API. */
  isAlive(node: string): boolean;
  /** When the kubelet of a node fell silent, in milliseconds since the epoch. */
  silentSince(node: string): number | undefined;
}

const type = (group: string, version: string, plural: string): LocalType => ({ group, version, plural });

const TYPES = {
  Namespace: type('', 'v1', 'namespaces'),
  Node: type('', 'v1', 'nodes'),
  Pod: type('', 'v1', 'pods'),
  Secret: type('', 'v1', 'secrets'),
  ConfigMap: type('', 'v1', 'configmaps'),
  Service: type('', 'v1', 'services'),
  ServiceAccount: type('', 'v1', 'serviceaccounts'),
  Endpoints: type('', 'v1', 'endpoints'),
  EndpointSlice: type('discovery.k8s.io', 'v1', 'endpointslices'),
  Event: type('', 'v1', 'events'),
  PersistentVolume: type('', 'v1', 'persistentvolumes'),
  PersistentVolumeClaim: type('', 'v1', 'persistentvolumeclaims'),
  StorageClass: type('storage.k8s.io', 'v1', 'storageclasses'),
  VolumeAttachment: type('storage.k8s.io', 'v1', 'volumeattachments'),
  Lease: type('coordination.k8s.io', 'v1', 'leases'),
  DaemonSet: type('apps', 'v1', 'daemonsets'),
  Deployment: type('apps', 'v1', 'deployments'),
  ReplicaSet: type('apps', 'v1', 'replicasets'),
  StatefulSet: type('apps', 'v1', 'statefulsets'),
  Job: type('batch', 'v1', 'jobs'),
  PodDisruptionBudget: type('policy', 'v1', 'poddisruptionbudgets'),
  APIService: type('apiregistration.k8s.io', 'v1', 'apiservices'),
  Role: type('rbac.authorization.k8s.io', 'v1', 'roles'),
  RoleBinding: type('rbac.authorization.k8s.io', 'v1', 'rolebindings'),
  ClusterRole: type('rbac.authorization.k8s.io', 'v1', 'clusterroles'),
  ClusterRoleBinding: type('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings'),
} as const satisfies Record<string, LocalType>;

/** A kind that the simulation's own parts write. */
export type Kind = keyof typeof TYPES;

/** Direct access to the kinds of one API server. */
export class Resources {
  readonly #server: ApiServer;
  readonly #made = new Map<Kind, LocalResource>();

  constructor(server: ApiServer) {
    this.#server = server;
  }

  of(kind: Kind): LocalResource {
    let found = this.#made.get(kind);
    if (!found) {
      found = this.#server.resource(TYPES[kind]);
      this.#made.set(kind, found);
    }
    return found;
  }

  /** The kind of a manifest's name. @throws {Error} when nothing here writes it */
  ofManifest(kind: string): LocalResource {
    if (!(kind in TYPES)) throw new Error(`nothing in the simulation writes objects of kind ${kind}`);
    return this.of(kind as Kind);
  }
}
