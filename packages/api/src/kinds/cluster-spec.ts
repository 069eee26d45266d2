import { z } from 'zod';
import { dnsLabel, ipv4Cidr, labels, objectName, RootVolume, Taint } from '../meta.ts';
import { RELEASE_NAME } from '../release-name.ts';

/** Longest name of a Cluster: with pool and suffix it must stay a host name. */
export const CLUSTER_NAME_MAX = 32;
/** Longest name of a node pool. */
export const POOL_NAME_MAX = 20;
/** Most machines in one pool. */
export const POOL_COUNT_MAX = 1000;

const release = () => z.string().max(32).regex(RELEASE_NAME);
const flavor = () => z.string().min(1).max(255);
const zones = () => z.array(z.string().min(1).max(255)).max(32).meta({ listType: 'set' });
const spread = () => z.enum(['soft-anti-affinity', 'anti-affinity']);

export const ControlPlane = z.object({
  count: z.int().min(1).max(5).default(1).describe('Control-plane machines: 1, 3 or 5.'),
  flavor: flavor().describe('Flavor of the machines.'),
  zones: zones().optional().describe("Availability zones to spread over; the region's where absent."),
  rootVolume: RootVolume.optional().describe("Boot from a volume of this size; the flavor's disk where absent."),
  serverGroupPolicy: spread()
    .default('soft-anti-affinity')
    .describe('Whether machines may (soft) or must never share a host.'),
});

/** Fields of a pool that its machines are made from. */
export const POOL_FIXED = [
  'flavor',
  'release',
  'zones',
  'rootVolume',
  'serverGroupPolicy',
  'labels',
  'taints',
] as const;

/** Why one of {@link POOL_FIXED} cannot change. */
export const poolFixedMessage = (field: string): string =>
  `${field} of an existing pool cannot change, since its machines would have to be replaced: only count may; add a pool with the new ${field} and remove the old one`;

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
});
// The rules stand on the item: there a list-map's new and old items are matched by name, which keeps their cost low.
export const NodePool = NodePoolFields.meta({
  cel: POOL_FIXED.map((field) => ({
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: poolFixedMessage(field),
  })),
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

export const ClusterAddon = z.object({
  name: dnsLabel(40).describe('Name of the addon, such as flannel.'),
  version: z.string().min(1).max(64).optional().describe('Version to stay on; the newest that fits where absent.'),
});

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
});
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
    })
    .optional()
    .describe('The control plane.'),
  nodePools: nodePools().optional().describe('Pools of worker machines.'),
  nodePoolDefaults: z
    .object({
      flavor: flavor().optional().describe('Flavor of a pool that names none.'),
      count: z.int().min(0).max(POOL_COUNT_MAX).optional().describe('Count of a pool that names none.'),
    })
    .optional()
    .describe('Defaults of a pool that a Cluster asks for.'),
  addons: addons().optional().describe('Addons of the cluster.'),
});
export type ClusterTemplateSpec = z.output<typeof ClusterTemplateSpec>;
