import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { conditions, dnsLabel, labels, objectName, RootVolume, revision, Taint, time } from '../meta.ts';
import { RELEASE_NAME } from '../release-name.ts';

export const MachineSpec = z.object({
  cluster: z
    .object({
      name: dnsLabel().describe('Name of the Cluster, in the same namespace.'),
      uid: z.string().max(64).describe('UID of the Cluster.'),
    })
    .describe('The Cluster that this machine belongs to.'),
  role: z.enum(['control-plane', 'worker']).describe('What the node does.'),
  pool: dnsLabel().describe('Node pool; control-plane for the control plane.'),
  region: objectName().describe('Name of the Region.'),
  release: z.string().max(32).regex(RELEASE_NAME).describe('Name of the KubernetesRelease.'),
  image: z.string().min(1).max(255).describe('ID of the node image.'),
  flavor: z.string().min(1).max(255).describe('ID of the flavor.'),
  zone: z.string().max(255).optional().describe('Availability zone; any where absent.'),
  rootVolume: RootVolume.optional().describe("Boot from a volume of this size; the flavor's disk where absent."),
  labels: labels().optional().describe('Labels of the node.'),
  taints: z.array(Taint).max(16).optional().describe('Taints of the node.').meta({ listType: 'atomic' }),
  nodeDrainTimeoutSeconds: z
    .int()
    .min(0)
    .optional()
    .describe('After this many seconds a drain is given up; never where absent or 0.'),
  nodeVolumeDetachTimeoutSeconds: z
    .int()
    .min(0)
    .optional()
    .describe('After this many seconds volumes that do not detach are given up; never where absent or 0.'),
});

/** What of a Machine's spec may change in place: nothing of it is in the server. */
export const MACHINE_MUTABLE = [
  'labels',
  'taints',
  'nodeDrainTimeoutSeconds',
  'nodeVolumeDetachTimeoutSeconds',
] as const;

const FIXED = ['cluster', 'role', 'pool', 'region', 'release', 'image', 'flavor', 'zone', 'rootVolume'] as const;

/** What the cloud says of the machine's server. */
export const ServerState = z.enum(['Pending', 'Building', 'Active', 'Stopped', 'Error', 'Deleting', 'Gone']);

export const MachineStatus = z
  .object({
    server: z
      .object({
        revision: revision(),
        state: ServerState.optional().describe('What the cloud says of the server.'),
        id: z.string().max(64).optional().describe('ID of the server.'),
        portId: z.string().max(64).optional().describe('ID of its port.'),
        addresses: z.array(z.string().max(64)).max(8).optional().describe('Its addresses.').meta({ listType: 'set' }),
        zone: z.string().max(255).optional().describe('Availability zone that it runs in.'),
        activeAt: time().optional().describe('When it became ACTIVE; the ticket is good from then.'),
        hostId: z
          .string()
          .max(64)
          .optional()
          .describe("Nova's hostId: which host it is on, the same for servers of one project on one host."),
        handled: z
          .int()
          .min(0)
          .optional()
          .describe('Number of the last order of self-healing (status.health.order) that was carried out.'),
        conditions: conditions('of the server: ServerReady, InEndpoint'),
      })
      .prefault({})
      .describe("The provisioner's map."),
    bootstrap: z
      .object({
        revision: revision(),
        keyHash: z
          .string()
          .max(64)
          .optional()
          .describe("SHA-256 of the machine's own public key, to which the ticket is bound."),
        ticketTakenAt: time().optional().describe('When the ticket was redeemed.'),
        joinedAt: time().optional().describe('When kubeadm ended with success.'),
        steps: z
          .array(
            z.object({
              name: z.string().max(64).describe('Step.'),
              state: z.enum(['running', 'done', 'failed']).describe('How it stands.'),
              startedAt: time().describe('When it began.'),
              seconds: z.number().min(0).optional().describe('How long it took, in seconds.'),
            }),
          )
          .max(16)
          .optional()
          .describe('Steps that failed or took more than 10 s.')
          .meta({ listType: 'map', listMapKeys: ['name'] }),
        conditions: conditions(
          "of the node's way in and out: Joined, TicketMisused, Drained, VolumesDetached, MemberRemoved",
        ),
      })
      .prefault({})
      .describe("The bootstrap-worker's map."),
    health: z
      .object({
        revision: revision(),
        ready: z.boolean().optional().describe('Node Ready, and its pod network works.'),
        unreachable: z
          .boolean()
          .optional()
          .describe('The node is silent or gone: nobody can end its pods, so a drain would wait for ever.'),
        order: z
          .object({
            number: z.int().min(1).describe('Counts the orders for this machine.'),
            action: z
              .enum(['Reboot', 'HardReboot', 'Replace'])
              .describe('What the provisioner is to do: the rung of the ladder.'),
            at: time().describe('When it was decided.'),
            reason: z.string().max(128).describe('What ails the machine, in CamelCase.'),
          })
          .optional()
          .describe('What is to be done about a sick machine: the grant, written before the deed.'),
        sickSince: time().optional().describe('Since when it is sick without a break.'),
        conditions: conditions('of the node: Healthy, Remediation'),
      })
      .prefault({})
      .describe("self-healing's map."),
  })
  .prefault({});

export type MachineSpec = z.output<typeof MachineSpec>;
export type MachineStatus = z.output<typeof MachineStatus>;
/** One server that is one node. Made from a copy of what it needs, and never edited. */
export type Machine = ObjectOf<MachineSpec, MachineStatus>;

export const MachineKind = defineKind({
  kind: 'Machine',
  plural: 'machines',
  singular: 'machine',
  shortNames: ['sm'],
  namespaced: true,
  description:
    'One server that is one node. What it is made from is copied at birth and never edited: a machine is replaced.',
  spec: MachineSpec,
  status: MachineStatus,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster.name', description: 'Its cluster.' },
    { name: 'Pool', type: 'string', jsonPath: '.spec.pool', description: 'Its pool.' },
    { name: 'Server', type: 'string', jsonPath: '.status.server.state', description: 'What the cloud says.' },
    {
      name: 'Joined',
      type: 'string',
      jsonPath: '.status.bootstrap.conditions[?(@.type=="Joined")].status',
      description: 'Whether the node has joined.',
    },
    {
      name: 'Ready',
      type: 'boolean',
      jsonPath: '.status.health.ready',
      description: 'Whether node and pod network work.',
    },
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'Kubernetes release.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
    { name: 'Zone', type: 'string', jsonPath: '.status.server.zone', description: 'Availability zone.', priority: 1 },
    {
      name: 'Address',
      type: 'string',
      jsonPath: '.status.server.addresses[0]',
      description: 'First address.',
      priority: 1,
    },
  ],
  rules: FIXED.map((field) => ({
    cel: `has(self.spec.${field}) == has(oldSelf.spec.${field}) && (!has(self.spec.${field}) || self.spec.${field} == oldSelf.spec.${field})`,
    message: `${field} of a machine cannot change: it is replaced`,
    fieldPath: `.spec.${field}`,
    check: (now: { spec: MachineSpec }, before: { spec: MachineSpec } | undefined) =>
      !before || JSON.stringify(now.spec[field]) === JSON.stringify(before.spec[field]),
  })),
});
