import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { conditions, revision, time } from '../meta.ts';
import { clusterRules } from './cluster-rules.ts';
import { ClusterSpec, type ClusterSpec as Spec } from './cluster-spec.ts';

const id = () => z.string().max(64);

export const ClusterStatus = z
  .object({
    conditions: conditions('of the whole cluster: Ready, derived by the provisioner from the maps below'),
    observedGeneration: z.int().min(0).optional().describe('Generation of the spec that Ready was seen for.'),
    infrastructure: z
      .object({
        revision: revision(),
        networkId: id().optional().describe("ID of the cluster's network."),
        subnetId: id().optional().describe("ID of the cluster's subnet."),
        routerId: id().optional().describe("ID of the cluster's router."),
        securityGroups: z
          .object({
            controlPlane: id().optional().describe('ID of the security group of control-plane machines.'),
            worker: id().optional().describe('ID of the security group of workers.'),
          })
          .optional()
          .describe('Security groups.'),
        serverGroups: z
          .record(z.string().max(63), id())
          .optional()
          .describe('IDs of the server groups, by pool; the control plane is named control-plane.'),
        loadBalancerId: id().optional().describe('ID of the load balancer in front of the API.'),
        loadBalancerPoolId: id().optional().describe('ID of its pool.'),
        floatingIp: z
          .object({
            id: id().describe('ID of the floating IP.'),
            address: z.string().max(64).describe('Its address.'),
          })
          .optional()
          .describe('Floating IP of the API endpoint.'),
        endpoint: z
          .object({
            internal: z.string().max(128).describe('host:port of the API as machines reach it.'),
            external: z.string().max(128).describe('host:port of the API as people and services reach it.'),
          })
          .optional()
          .describe('The API endpoint.'),
        pools: z
          .array(
            z.object({
              name: z.string().max(63).describe('Pool; control-plane for the control plane.'),
              desired: z.int().min(0).describe('Machines asked for.'),
              machines: z.int().min(0).describe('Machines that exist.'),
              joined: z.int().min(0).describe('Machines whose node has joined.'),
              ready: z.int().min(0).describe('Machines whose node is Ready and whose pod network works.'),
              outdated: z
                .int()
                .min(0)
                .optional()
                .describe('Machines that are made from something else than the spec asks for, and are to be replaced.'),
            }),
          )
          .max(33)
          .optional()
          .describe('Counts by pool, gathered for two seconds before they are written.')
          .meta({ listType: 'map', listMapKeys: ['name'] }),
        release: z
          .string()
          .max(32)
          .optional()
          .describe('Newest release that a control-plane machine has joined with: spec.release never goes below it.'),
        rollout: z
          .object({
            release: z.string().max(32).describe('Release that machines are brought to now: one step of the way.'),
            startedAt: time().describe('When this step began.'),
          })
          .optional()
          .describe('The replacement of machines that goes on; absent while every machine is as asked for.'),
        addonCredentials: z
          .object({
            serial: z
              .int()
              .min(1)
              .describe('Number of the newest application credential that was made: the end of its name in the cloud.'),
            current: z
              .object({
                id: id().describe('ID of the application credential.'),
                userId: id().describe('ID of the user that it was made by, who alone can revoke it.'),
                projectId: id().describe('ID of the project that it is for.'),
                createdAt: time().describe('When it was made.'),
                expiresAt: time().describe('When it ends by itself; another one takes its place long before.'),
                accessRules: z
                  .boolean()
                  .describe(
                    'Whether it may make only the calls that addons need. Not every cloud can hold it to that.',
                  ),
              })
              .optional()
              .describe('What addons use now; absent once no addon needs it any more.'),
            retiring: z
              .array(
                z.object({
                  id: id().describe('ID of the application credential.'),
                  userId: id().describe('ID of the user that it was made by.'),
                  revokeAt: time().describe('When it is revoked.'),
                }),
              )
              .max(8)
              .optional()
              .describe('What addons used before, and may still hold.')
              .meta({ listType: 'map', listMapKeys: ['id'] }),
          })
          .optional()
          .describe("The application credential that the cluster's addons use in its cloud. Its secret is not here."),
        conditions: conditions(
          'of network, endpoint and machines: NetworkReady, EndpointReady, MachinesReady, UpToDate, AddonCredentialsReady',
        ),
      })
      .prefault({})
      .describe("The provisioner's map."),
    controlPlane: z
      .object({
        revision: revision(),
        initMachine: id().optional().describe('UID of the Machine that was told to run kubeadm init.'),
        initMachineAt: time().optional().describe('When it was told to.'),
        joinMachine: id()
          .optional()
          .describe('UID of the Machine that may join the control plane now: etcd takes one new member at a time.'),
        initialized: z.boolean().optional().describe('Whether the first control-plane machine is up.'),
        initializedAt: time().optional().describe('When it was.'),
        configRelease: z
          .string()
          .max(32)
          .optional()
          .describe("Release that kubeadm's ConfigMaps in the cluster are written for."),
        addonsRelease: z
          .string()
          .max(32)
          .optional()
          .describe("Release that kubeadm's own addons, kube-proxy and CoreDNS, run at."),
        images: z
          .array(
            z.object({
              release: z.string().max(32).describe('Release.'),
              coreDNS: z.string().max(255).describe('Image of CoreDNS that kubeadm of this release installs.'),
              kubeProxy: z.string().max(255).describe('Image of kube-proxy.'),
            }),
          )
          .max(4)
          .optional()
          .describe('What kubeadm of each release in use says of its own addons.')
          .meta({ listType: 'map', listMapKeys: ['release'] }),
        conditions: conditions(
          'of the control plane: PKIReady, Initialized, EndpointHealthy, EtcdHealthy, AddonsFollow',
        ),
      })
      .prefault({})
      .describe("The bootstrap-worker's map."),
    addons: z
      .object({
        revision: revision(),
        observedGeneration: z.int().min(0).optional().describe('Generation of the spec that all of this was seen for.'),
        items: z
          .array(
            z.object({
              name: z.string().max(63).describe('Addon.'),
              version: z.string().max(64).optional().describe('Version that is applied.'),
              healthy: z.boolean().describe('Whether its workloads run.'),
              upToDate: z
                .boolean()
                .optional()
                .describe(
                  'False where it runs and is not what it should be, paused ones left aside; the Addon says why.',
                ),
            }),
          )
          .max(64)
          .optional()
          .describe('What is applied.')
          .meta({ listType: 'map', listMapKeys: ['name'] }),
        leaving: z
          .object({
            state: z
              .enum(['Done', 'TimedOut', 'Unreachable'])
              .describe('How the removal of its load balancers and volumes from within ended.'),
            retained: z
              .array(z.string().max(253))
              .max(256)
              .optional()
              .describe('Volumes that stay: their reclaim policy is Retain. IDs, as their driver names them.')
              .meta({ listType: 'set' }),
          })
          .optional()
          .describe('What became of the things that the cluster made in its cloud, once the cluster is being deleted.'),
        readyFor: z
          .string()
          .max(32)
          .optional()
          .describe('Next release of the way that every addon fits already: the control plane may go there.'),
        blocked: z
          .array(
            z.object({
              addon: z.string().max(63).describe('Addon.'),
              message: z.string().max(1024).describe('What it lacks and what to do, in one line.'),
            }),
          )
          .max(64)
          .optional()
          .describe('Addons that have no version for the next release of the way: they hold the control plane back.')
          .meta({ listType: 'map', listMapKeys: ['addon'] }),
        conditions: conditions('of the addons: Applied, Healthy, UpToDate'),
      })
      .prefault({})
      .describe("The addon-manager's map."),
    health: z
      .object({
        revision: revision(),
        conditions: conditions('of the nodes as seen from outside: Reachable, HealingHeld, Storm'),
      })
      .prefault({})
      .describe("self-healing's map."),
  })
  .prefault({});
export type ClusterStatus = z.output<typeof ClusterStatus>;
/** The one document that a team owns. */
export type Cluster = ObjectOf<Spec, ClusterStatus>;

export const ClusterKind = defineKind({
  kind: 'Cluster',
  plural: 'clusters',
  singular: 'cluster',
  shortNames: ['scl'],
  namespaced: true,
  description: 'A whole Kubernetes cluster: the one document that a team owns.',
  spec: ClusterSpec,
  status: ClusterStatus,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether the cluster serves.',
    },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Why it is, or is not, ready.',
    },
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'Kubernetes release.' },
    { name: 'Region', type: 'string', jsonPath: '.spec.region', description: 'Region.' },
    {
      name: 'Control planes',
      type: 'integer',
      jsonPath: '.spec.controlPlane.count',
      description: 'Control-plane machines.',
    },
    {
      name: 'Endpoint',
      type: 'string',
      jsonPath: '.status.infrastructure.endpoint.external',
      description: 'Where its API answers.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'What is happening, in a line.',
      priority: 1,
    },
  ],
  rules: clusterRules,
});
