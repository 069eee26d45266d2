import { z } from 'zod';

/** API group of every kind of Shoto. */
export const GROUP = 'shoto.dev';
/** The one API version. Within it only optional fields are ever added. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of every object of Shoto. */
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Finalizers: who holds an object back from going, and until when (design, "Who writes what"). */
export const FINALIZERS = {
  /** On a Machine: provisioner, until the cloud says 404 for the server and its port. */
  server: 'shoto.dev/server',
  /** On a Machine: bootstrap-worker, until the node is out of its cluster. */
  node: 'shoto.dev/node',
  /** On a Cluster: addon-manager goes first. */
  addons: 'shoto.dev/addons',
  /** On a Cluster: provisioner, until Machines, endpoint and network are gone. */
  infrastructure: 'shoto.dev/infrastructure',
  /** On a Cluster: bootstrap-worker goes last, with the Secrets. */
  secrets: 'shoto.dev/secrets',
} as const;

/** Labels that Shoto puts on its own objects. */
export const LABELS = {
  /** Name of the Cluster that an object belongs to. */
  cluster: 'shoto.dev/cluster',
  /** UID of the Cluster that an object belongs to; on Secrets of the system namespace. */
  clusterUid: 'shoto.dev/cluster-uid',
  /** Name of the node pool of a Machine; absent on a control plane. */
  pool: 'shoto.dev/pool',
  /** `control-plane` or `worker`. */
  role: 'shoto.dev/role',
  /** Region of a Cluster or Machine. */
  region: 'shoto.dev/region',
  /** Service that a kubeconfig Secret is for. */
  service: 'shoto.dev/service',
  /** Name of the tenant that a namespace belongs to. */
  tenant: 'shoto.dev/tenant',
} as const;

/** Annotations of Shoto. Tenants may write none of them: cluster-api does, for those who may. */
export const ANNOTATIONS = {
  /** On a Machine: until when it is kept for study, RFC 3339. It is out of service, and its pool has another in its place. */
  keepUntil: 'shoto.dev/keep-until',
  /** On a Machine: why, and who asked, in one line. */
  keepReason: 'shoto.dev/keep-reason',
  /** On a Machine that is being deleted: its node part is skipped. Set by cluster-api for who forces it. */
  force: 'shoto.dev/force',
  /** On an Addon: any new value lets an update that failed be tried again. */
  retry: 'shoto.dev/retry',
  /** On an AddonRegistry: any new value has it asked at once. */
  pollNow: 'shoto.dev/poll-now',
} as const;

/** Namespace of a tenant: `tenant-<name>`. */
export const tenantNamespace = (tenant: string): string => `tenant-${tenant}`;

/** A DNS label (RFC 1123): what a Kubernetes name may be where it becomes a host name. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** A DNS label of at most `max` characters. */
export const dnsLabel = (max = 63) => z.string().min(1).max(max).regex(DNS_LABEL);

/** A name of an object of ours that may hold dots, such as `v1.35.4-2`. */
export const objectName = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/);

/** An IPv4 network in CIDR notation, `10.244.0.0/16`. */
export const ipv4Cidr = () =>
  z
    .string()
    .max(18)
    .regex(
      /^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\/([0-9]|[12][0-9]|3[0-2])$/,
    );

/** An IPv4 address. */
export const ipv4 = () =>
  z
    .string()
    .max(15)
    .regex(/^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$/);

/** A point in time as the API server writes it: RFC 3339, UTC, whole seconds. */
export const time = () => z.iso.datetime({ offset: true }).max(40);

/** One condition, in the form of Kubernetes' `metav1.Condition`. */
export const Condition = z.object({
  type: z.string().min(1).max(64).describe('What is told about, in CamelCase.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('True, False or Unknown.'),
  reason: z.string().min(1).max(128).describe('Why, in CamelCase, for programs.'),
  message: z.string().max(1024).describe('Why, in one line, for people.'),
  lastTransitionTime: time().describe('When the status last changed.'),
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that this was seen for.'),
});
/** One condition, in the form of Kubernetes' `metav1.Condition`. */
export type Condition = z.output<typeof Condition>;

/** A list of conditions, merged by type. */
export const conditions = (what: string) =>
  z
    .array(Condition)
    .max(16)
    .optional()
    .describe(`Conditions ${what}.`)
    .meta({ listType: 'map', listMapKeys: ['type'] });

/** The revision that the owner of a status map tests when it writes the map. Absent counts as 0. */
export const revision = () =>
  z.int().min(0).default(0).describe('Counts the writes of this map; its owner tests it, so that no write is lost.');

/** What of `metadata` Shoto reads. Everything else is kept, since objects are only ever patched. */
export interface Metadata {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  creationTimestamp?: string;
  deletionTimestamp?: string;
}

/** Labels of a node: at most 32. */
export const labels = () =>
  z
    .record(z.string().max(317), z.string().max(63))
    .refine((all) => Object.keys(all).length <= 32, 'must have at most 32 labels')
    .meta({ maxProperties: 32 });

/** A Secret, by namespace and name. */
export const SecretRef = z.object({
  namespace: dnsLabel().describe('Namespace of the Secret.'),
  name: objectName().describe('Name of the Secret.'),
});

/** A taint that a node gets when it joins, in the form of Kubernetes' `core/v1 Taint`. */
export const Taint = z.object({
  key: z.string().min(1).max(316).describe('Key of the taint.'),
  value: z.string().max(63).optional().describe('Value of the taint.'),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .describe('What happens to pods without a toleration.'),
});

/** The disk that a machine boots from, when it is a Cinder volume. */
export const RootVolume = z.object({
  sizeGiB: z.int().min(1).max(16384).describe('Size of the volume in GiB.'),
  type: z.string().min(1).max(255).optional().describe("Volume type; the cloud's default where absent."),
});

/**
 * Secret that holds a service's own kubeconfig for a workload cluster, under the key `value`. Each service's lie in a namespace
 * of their own, so that RBAC can give them to it without the clusters' keys, which lie in the system namespace.
 */
export const workloadSecretRef = (
  systemNamespace: string,
  service: string,
  clusterUid: string,
): { namespace: string; name: string } => ({
  namespace: `${systemNamespace}-${service}`,
  name: `${clusterUid}-kubeconfig-${service}`,
});

/**
 * The Secret with the application credential that a cluster's addons use in its cloud. Its keys are the values of {@link ADDON_CREDENTIALS}. Only the
 * provisioner writes it, and only the addon-manager reads it besides.
 */
export const addonCredentialsRef = (
  systemNamespace: string,
  clusterUid: string,
): { namespace: string; name: string } => ({
  namespace: `${systemNamespace}-addon-credentials`,
  name: `addon-openstack.${clusterUid}`,
});

/** Keys of the Secret of {@link addonCredentialsRef}, by the name of the fact that each is for addons: `facts.openstack.authUrl`. */
export const ADDON_CREDENTIALS = {
  /** Keystone, with `/v3`. */
  authUrl: 'auth_url',
  /** Region in Keystone's catalog; empty where the cloud has one only and the configuration names none. */
  region: 'region_name',
  applicationCredentialId: 'application_credential_id',
  applicationCredentialSecret: 'application_credential_secret',
  /** PEM; empty where the cloud's certificate needs no CA of its own. */
  caBundle: 'ca_bundle',
  projectId: 'project_id',
  /** The network and subnet of the cluster's machines. */
  networkId: 'network_id',
  subnetId: 'subnet_id',
  /** Where floating IPs come from. */
  externalNetworkId: 'external_network_id',
  /** RFC 3339. */
  createdAt: 'created_at',
  expiresAt: 'expires_at',
} as const;
