import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { conditions, dnsLabel, ipv4, revision, SecretRef } from '../meta.ts';

/** How a cluster's API endpoint is made. */
export const EndpointType = z.enum(['LoadBalancer', 'FloatingIP', 'MachineAddress']);

export const RegionSpec = z.object({
  displayName: z.string().max(128).optional().describe('Name for people.'),
  openstack: z
    .object({
      credentialsSecretRef: SecretRef.describe(
        'Secret whose key clouds.yaml holds the credentials (and cacert, where the cloud has its own CA).',
      ),
      cloud: dnsLabel(63).default('openstack').describe('Name of the cloud in clouds.yaml.'),
      regionName: z
        .string()
        .max(255)
        .optional()
        .describe("Region name in Keystone's catalog; that of clouds.yaml where absent."),
    })
    .describe('How to reach the OpenStack of this region.'),
  externalNetwork: z
    .string()
    .min(1)
    .max(255)
    .describe('Name or ID of the network that floating IPs and router gateways come from.'),
  apiEndpoint: z
    .object({
      type: EndpointType.default('LoadBalancer').describe(
        "LoadBalancer: an Octavia load balancer with a floating IP. FloatingIP: a floating IP that belongs to the Cluster. MachineAddress: the control-plane machine's own address, on a routable network and for one control plane only.",
      ),
    })
    .prefault({})
    .describe("How a cluster's API endpoint is made."),
  sharedNetwork: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('Name or ID of a routable network that machines are put on, instead of a network for each cluster.'),
  checkIn: z
    .object({
      url: z
        .string()
        .max(255)
        .regex(/^https:\/\/[a-z0-9.-]+(:[0-9]{1,5})?$/)
        .describe('https URL of the bootstrap-worker as machines of this region reach it.'),
    })
    .describe('Where machines check in.'),
  zones: z
    .array(z.string().min(1).max(255))
    .max(32)
    .default([])
    .describe('Availability zones for machines; any zone where empty.')
    .meta({ listType: 'set' }),
  flavors: z
    .array(z.string().min(1).max(255))
    .max(256)
    .default([])
    .describe('Flavors on offer; every flavor of the cloud where empty.')
    .meta({ listType: 'set' }),
  nameservers: z
    .array(ipv4())
    .max(4)
    .default([])
    .describe("Name servers for the clusters' subnets.")
    .meta({ listType: 'set' }),
  rateLimit: z
    .object({
      requestsPerSecond: z.int().min(1).max(1000).default(20).describe('Requests a second to this region, on average.'),
      burst: z.int().min(1).max(5000).default(40).describe('Requests at once.'),
    })
    .prefault({})
    .describe('How hard Shoto may press this cloud.'),
  limits: z
    .object({
      machinesPerCluster: z.int().min(1).max(10000).optional().describe('Most machines of one cluster.'),
      machines: z.int().min(1).max(1_000_000).optional().describe('Most machines of all clusters together.'),
    })
    .prefault({})
    .describe('How large clusters may be in this region; unlimited where absent.'),
  addons: z
    .object({
      roles: z
        .array(z.string().min(1).max(255))
        .min(1)
        .max(16)
        .optional()
        .describe(
          "Roles of the application credentials that clusters' addons get; the region's own credentials must have them. Where absent: member and load-balancer_member, as far as these have them.",
        )
        .meta({ listType: 'set' }),
      requireSignature: z
        .boolean()
        .default(false)
        .describe('Whether only addon bundles whose signature was verified are applied to clusters of this region.'),
    })
    .optional()
    .describe('What holds of addons in this region.'),
  pollSeconds: z
    .int()
    .min(1)
    .max(300)
    .default(5)
    .describe('How often the servers of the region are listed while some of them change.'),
});

export const RegionStatus = z
  .object({
    provisioner: z
      .object({
        revision: revision(),
        conditions: conditions('of the region: Ready says whether the cloud answers with these credentials'),
      })
      .prefault({})
      .describe("The provisioner's map."),
  })
  .prefault({});

export type RegionSpec = z.output<typeof RegionSpec>;
export type RegionStatus = z.output<typeof RegionStatus>;
/** One OpenStack region. */
export type Region = ObjectOf<RegionSpec, RegionStatus>;

export const RegionKind = defineKind({
  kind: 'Region',
  plural: 'regions',
  singular: 'region',
  shortNames: ['rgn'],
  namespaced: false,
  description:
    'One OpenStack region: how to reach it, its networks, zones and flavors, and how API endpoints are made there.',
  spec: RegionSpec,
  status: RegionStatus,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.provisioner.conditions[?(@.type=="Ready")].status',
      description: 'Whether the cloud answers.',
    },
    {
      name: 'Endpoint',
      type: 'string',
      jsonPath: '.spec.apiEndpoint.type',
      description: 'How API endpoints are made.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.provisioner.conditions[?(@.type=="Ready")].message',
      description: 'Why it is, or is not, ready.',
      priority: 1,
    },
  ],
  rules: [
    {
      cel: "self.spec.apiEndpoint.type != 'MachineAddress' || has(self.spec.sharedNetwork)",
      message: 'MachineAddress needs sharedNetwork: the routable network that machines are put on',
      fieldPath: '.spec.apiEndpoint.type',
      check: ({ spec }) => spec.apiEndpoint.type !== 'MachineAddress' || spec.sharedNetwork !== undefined,
    },
  ],
});
