import { z } from 'zod';
import { dnsLabel, ipv4Cidr, labels, objectName, RootVolume, Taint } from '../meta.ts';
import { RELEASE_NAME } from '../release-name.ts';
import { CHANNELS } from './addon-bundle.ts';
import { DAYS, NO_TIME_ZONE, TIME_OF_DAY } from './maintenance-window.ts';

/** Longest name of a Cluster: with pool and suffix it must stay a host name. */
export const CLUSTER_NAME_MAX = 32;
/** Longest name of a node pool. */
export const POOL_NAME_MAX = 20;
/** Most machines in one pool. */
export const POOL_COUNT_MAX = 1000;

/** Why values of an addon are refused. */
const VALUES_TOO_LARGE =
  'values of an addon may be 32 KiB of JSON at most: put files into a bundle of your own, or in a ConfigMap of the cluster';

const release = () => z.string().max(32).regex(RELEASE_NAME);
const flavor = () => z.string().min(1).max(255);
const zones = () => z.array(z.string().min(1).max(255)).max(32).meta({ listType: 'set' });
const spread = () => z.enum(['soft-anti-affinity', 'anti-affinity']);
const seconds = () => z.int().min(0).max(604_800);
const DRAIN_TIMEOUT =
  'After this many seconds a drain is given up and the machine goes; 0: never, it waits and says so.';
const DETACH_TIMEOUT =
  'After this many seconds volumes that do not detach are given up; 0: never, it waits and says so.';
/** How nodes leave; names as in Cluster API. */
const wayOut = {
  nodeDrainTimeoutSeconds: seconds().default(0).describe(DRAIN_TIMEOUT),
  nodeVolumeDetachTimeoutSeconds: seconds().default(0).describe(DETACH_TIMEOUT),
};
/** The same in a template, where nothing is preset that it does not name. */
const wayOutPresets = {
  nodeDrainTimeoutSeconds: seconds().optional().describe(DRAIN_TIMEOUT),
  nodeVolumeDetachTimeoutSeconds: seconds().optional().describe(DETACH_TIMEOUT),
};

export const ControlPlane = z.object({
  count: z.int().min(1).max(5).default(1).describe('Control-plane machines: 1, 3 or 5.'),
  flavor: flavor().describe('Flavor of the machines.'),
  zones: zones().optional().describe("Availability zones to spread over; the region's where absent."),
  rootVolume: RootVolume.optional().describe("Boot from a volume of this size; the flavor's disk where absent."),
  serverGroupPolicy: spread()
    .default('soft-anti-affinity')
    .describe('Whether machines may (soft) or must never share a host.'),
  ...wayOut,
});

/** Why the server group of a pool, or of the control plane, cannot change. */
export const SERVER_GROUP_FIXED =
  'serverGroupPolicy cannot change: a server stays in the group that it was made in; add a pool with the new policy and remove the old one';

/** A count of machines, or a share of the pool such as `25%`; as `maxSurge` of a Deployment. */
const countOrShare = () =>
  z
    .union(
      [
        z.int().min(0).max(POOL_COUNT_MAX),
        z
          .string()
          .max(4)
          .regex(/^([0-9]|[1-9][0-9]|100)%$/),
      ],
      {
        error: 'must be a number of machines, 0 or more, or a share such as "25%"',
      },
    )
    .meta({ intOrString: true });
/** Whether a count or share is none at all. */
export const isNone = (countOrShare: number | string): boolean => Number.parseInt(String(countOrShare), 10) === 0;

const NodePoolFields = z.object({
  name: dnsLabel(POOL_NAME_MAX).describe('Name of the pool, unique in the cluster.'),
  count: z.int().min(0).max(POOL_COUNT_MAX).default(1).describe('Machines in the pool.'),
  flavor: flavor().describe('Flavor of the machines.'),
  release: release().optional().describe("Release of this pool; the cluster's where absent, and never newer."),
  zones: zones().optional().describe("Availability zones to spread over; the region's where absent."),
  rootVolume: RootVolume.optional().describe("Boot from a volume of this size; the flavor's disk where absent."),
  serverGroupPolicy: spread()
    .default('soft-anti-affinity')
    .describe('Whether machines may (soft) or must never share a host.'),
  labels: labels().optional().describe('Labels of the nodes.'),
  taints: z.array(Taint).max(16).optional().describe('Taints of the nodes.').meta({ listType: 'atomic' }),
  maxSurge: countOrShare()
    .default(1)
    .describe('How many machines above count may exist while machines are replaced: a number, or a share such as 25%.'),
  maxUnavailable: countOrShare()
    .default(0)
    .describe('How many of count may be missing while machines are replaced: a number, or a share such as 25%.'),
  ...wayOut,
});
const none = (field: string): string => `(self.${field} == 0 || self.${field} == '0%')`;
/** Why a pool that may neither grow nor shrink is refused. */
export const NO_ROOM =
  'maxSurge and maxUnavailable cannot both be 0: no machine could ever be replaced; let maxSurge be 1';
// The rules stand on the item: there a list-map's new and old items are matched by name, which keeps their cost low.
export const NodePool = NodePoolFields.meta({
  cel: [
    { rule: 'self.serverGroupPolicy == oldSelf.serverGroupPolicy', message: SERVER_GROUP_FIXED },
    { rule: `!(${none('maxSurge')} && ${none('maxUnavailable')})`, message: NO_ROOM },
  ],
});
/** One node pool of a Cluster. */
export type NodePool = z.output<typeof NodePool>;

export const ClusterNetwork = z.object({
  podCIDR: ipv4Cidr().default('10.244.0.0/16').describe('Addresses of pods.'),
  serviceCIDR: ipv4Cidr().default('10.96.0.0/12').describe('Addresses of Services.'),
  nodeCIDR: ipv4Cidr()
    .default('10.8.0.0/16')
    .describe('Addresses of machines; the subnet that is made for the cluster.'),
});

/** Longest `values` of an addon, as JSON, in bytes. */
export const ADDON_VALUES_MAX = 32 * 1024;
/** What is done about an object of an addon that somebody else changed. */
export const DRIFT_POLICIES = ['Correct', 'Report', 'Ignore'] as const;

export const ClusterAddon = z.object({
  name: dnsLabel(40).describe('Name of the addon, such as flannel.'),
  version: z.string().min(1).max(64).optional().describe('Version to stay on; the newest that fits where absent.'),
  channel: z
    .enum(CHANNELS)
    .optional()
    .describe(
      'Channel that versions are taken from; stable where absent. candidate has the stable ones too, edge all.',
    ),
  values: z
    .looseObject({})
    .refine((v) => Buffer.byteLength(JSON.stringify(v)) <= ADDON_VALUES_MAX, VALUES_TOO_LARGE)
    .optional()
    .describe(
      "Values of the addon, checked against its bundle's schema; at most 32 KiB. No secrets: these go in valuesFrom.",
    )
    .meta({ preserve: true }),
  valuesFrom: z
    .array(
      z.object({
        secretName: objectName().describe("Name of the Secret, in the cluster's own namespace."),
        key: z.string().min(1).max(253).describe('Its key, which holds a YAML mapping.'),
      }),
    )
    .max(8)
    .optional()
    .describe('Secrets that hold more values: each is laid upon what stands before it.')
    .meta({ listType: 'atomic' }),
  drift: z
    .enum(DRIFT_POLICIES)
    .optional()
    .describe(
      'What is done about what somebody else changes: put it right (Correct, where absent), say it, or nothing.',
    ),
  paused: z.boolean().optional().describe('Nothing of this addon is applied, changed or removed while true.'),
});
/** An addon that a Cluster asks for. */
export type ClusterAddon = z.output<typeof ClusterAddon>;

const nodePools = () =>
  z
    .array(NodePool)
    .max(32)
    .meta({ listType: 'map', listMapKeys: ['name'] });
const addons = () =>
  z
    .array(ClusterAddon)
    .max(64)
    .meta({ listType: 'map', listMapKeys: ['name'] });

const maintenanceWindow = () =>
  z.object({
    timeZone: z
      .string()
      .min(1)
      .max(64)
      .default('UTC')
      .describe('IANA time zone that start is in, such as Asia/Tokyo.')
      // On the field itself: an unknown zone is an error of the expression, which an API server blames on the place of the rule.
      .meta({ cel: [{ rule: "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0", message: NO_TIME_ZONE }] }),
    days: z
      .array(z.enum(DAYS))
      .min(1)
      .max(7)
      .default([...DAYS])
      .describe('Days on which it opens.')
      .meta({ listType: 'set' }),
    start: z.string().max(5).regex(TIME_OF_DAY).describe('When it opens, HH:MM in timeZone.'),
    durationMinutes: z.int().min(30).max(1440).default(120).describe('How long it stays open.'),
  });

export const ClusterSpec = z.object({
  region: objectName().describe('Name of the Region.'),
  release: release().describe('Name of the KubernetesRelease.'),
  template: objectName()
    .optional()
    .describe('ClusterTemplate that the defaults were taken from, once; for information.'),
  network: ClusterNetwork.prefault({}).describe('Addresses; cannot change.'),
  controlPlane: ControlPlane.describe('The control plane.'),
  nodePools: nodePools().default([]).describe('Pools of worker machines.'),
  addons: addons().default([]).describe('Addons of the cluster; one of them must provide its pod network.'),
  paused: z.boolean().default(false).describe('Nothing is made, changed or removed while true.'),
  maintenanceWindow: maintenanceWindow()
    .optional()
    .describe(
      'When machines may be replaced because of a change of release, image, flavor and the like; any time where absent. Sizing and healing do not wait for it.',
    ),
  healing: z
    .object({
      enabled: z.boolean().default(true).describe('Whether sick machines are rebooted and replaced.'),
    })
    .prefault({})
    .describe('What is done about sick machines.'),
});
export type MaintenanceWindow = NonNullable<z.output<typeof ClusterSpec>['maintenanceWindow']>;
export type ClusterSpec = z.output<typeof ClusterSpec>;
export type ClusterSpecInput = z.input<typeof ClusterSpec>;

/** What a ClusterTemplate may preset: every part of a Cluster's spec, each of them optional. */
export const ClusterTemplateSpec = z.object({
  description: z.string().max(1024).optional().describe('For whom this template is.'),
  region: objectName().optional().describe('Name of the Region.'),
  release: release().optional().describe('Name of the KubernetesRelease.'),
  network: z
    .object({
      podCIDR: ipv4Cidr().optional().describe('Addresses of pods.'),
      serviceCIDR: ipv4Cidr().optional().describe('Addresses of Services.'),
      nodeCIDR: ipv4Cidr().optional().describe('Addresses of machines.'),
    })
    .optional()
    .describe('Addresses.'),
  controlPlane: z
    .object({
      count: z.int().min(1).max(5).optional().describe('Control-plane machines: 1, 3 or 5.'),
      flavor: flavor().optional().describe('Flavor of the machines.'),
      zones: zones().optional().describe('Availability zones to spread over.'),
      rootVolume: RootVolume.optional().describe('Boot from a volume of this size.'),
      serverGroupPolicy: spread().optional().describe('Whether machines may (soft) or must never share a host.'),
      ...wayOutPresets,
    })
    .optional()
    .describe('The control plane.'),
  nodePools: nodePools().optional().describe('Pools of worker machines.'),
  nodePoolDefaults: z
    .object({
      flavor: flavor().optional().describe('Flavor of a pool that names none.'),
      count: z.int().min(0).max(POOL_COUNT_MAX).optional().describe('Count of a pool that names none.'),
      ...wayOutPresets,
    })
    .optional()
    .describe('Defaults of a pool that a Cluster asks for.'),
  addons: addons().optional().describe('Addons of the cluster.'),
  maintenanceWindow: maintenanceWindow()
    .optional()
    .describe('When machines may be replaced. A Cluster that names a window of its own takes nothing of this one.'),
  healing: z
    .object({
      enabled: z.boolean().optional().describe('Whether sick machines are rebooted and replaced.'),
    })
    .optional()
    .describe('What is done about sick machines.'),
});
export type ClusterTemplateSpec = z.output<typeof ClusterTemplateSpec>;
