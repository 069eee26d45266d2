import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { conditions, dnsLabel, objectName, revision } from '../meta.ts';

const SEMVER = /^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

export const AddonBundleSpec = z.object({
  addon: dnsLabel(40).describe('Name of the addon, such as flannel.'),
  version: z.string().max(64).regex(SEMVER).describe('Semantic version of the bundle.'),
  kubernetes: z
    .string()
    .min(1)
    .max(128)
    .regex(/^(>=|<=|<|>|=)?1\.[0-9]{1,3}(\.[0-9]{1,3})?( (>=|<=|<|>|=)?1\.[0-9]{1,3}(\.[0-9]{1,3})?)*$/)
    .describe('Kubernetes versions that it fits, such as >=1.35 <1.37; all comparisons must hold.'),
  provides: z
    .array(z.enum(['cni', 'csi', 'dns', 'ingress', 'metrics', 'monitoring']))
    .max(8)
    .default([])
    .describe('What a cluster gets from it.')
    .meta({ listType: 'set' }),
  manifests: z
    .object({
      digest: z
        .string()
        .max(71)
        .regex(/^sha256:[0-9a-f]{64}$/)
        .describe('SHA-256 of the manifests.'),
      configMapRef: z
        .object({
          namespace: dnsLabel().describe('Namespace of the ConfigMap.'),
          name: objectName().describe('Name of the ConfigMap.'),
          key: z.string().min(1).max(253).default('manifests.yaml').describe('Key that holds the YAML documents.'),
        })
        .describe('Where the manifests are kept.'),
    })
    .describe(
      'YAML documents, in the order in which they are applied. {{podCIDR}}, {{serviceCIDR}}, {{apiHost}} and {{apiPort}} are filled in from the cluster.',
    ),
  health: z
    .array(
      z.object({
        kind: z.enum(['DaemonSet', 'Deployment', 'StatefulSet']).describe('Kind of the workload.'),
        namespace: dnsLabel().describe('Its namespace.'),
        name: objectName().describe('Its name.'),
      }),
    )
    .max(32)
    .default([])
    .describe('Workloads that must be rolled out for the addon to be healthy.')
    .meta({ listType: 'atomic' }),
  credentials: z
    .array(z.enum(['openstack']))
    .max(4)
    .optional()
    .describe("What it needs of the tenant's credentials.")
    .meta({ listType: 'set' }),
});
export const AddonBundleStatus = z.object({}).prefault({});
export type AddonBundleSpec = z.output<typeof AddonBundleSpec>;
/** One published, immutable version of an addon. */
export type AddonBundle = ObjectOf<AddonBundleSpec, z.output<typeof AddonBundleStatus>>;

export const AddonBundleKind = defineKind({
  kind: 'AddonBundle',
  plural: 'addonbundles',
  singular: 'addonbundle',
  shortNames: ['ab'],
  namespaced: false,
  description: 'One published, immutable version of an addon and the Kubernetes versions that it fits.',
  spec: AddonBundleSpec,
  status: AddonBundleStatus,
  columns: [
    { name: 'Addon', type: 'string', jsonPath: '.spec.addon', description: 'Name of the addon.' },
    { name: 'Version', type: 'string', jsonPath: '.spec.version', description: 'Version of the bundle.' },
    { name: 'Kubernetes', type: 'string', jsonPath: '.spec.kubernetes', description: 'Versions that it fits.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
  ],
  rules: [
    {
      cel: 'self.spec == oldSelf.spec',
      message: 'a published bundle cannot change: publish a new version',
      fieldPath: '.spec',
      check: (now, before) => !before || JSON.stringify(now.spec) === JSON.stringify(before.spec),
    },
  ],
});

export const AddonSpec = z.object({
  clusterName: dnsLabel().describe('Name of the Cluster, in the same namespace.'),
  addon: dnsLabel(40).describe('Name of the addon.'),
  version: z.string().max(64).optional().describe('Version to stay on; the newest that fits where absent.'),
});
export const AddonStatus = z
  .object({
    manager: z
      .object({
        revision: revision(),
        bundle: z.string().max(253).optional().describe('AddonBundle that is applied.'),
        digest: z
          .string()
          .max(71)
          .optional()
          .describe('Digest of what is applied, with the values of the cluster filled in.'),
        conditions: conditions('of the addon: Applied, Healthy'),
      })
      .prefault({})
      .describe("The addon-manager's map."),
  })
  .prefault({});
export type AddonSpec = z.output<typeof AddonSpec>;
export type AddonStatus = z.output<typeof AddonStatus>;
/** An addon on a cluster. */
export type Addon = ObjectOf<AddonSpec, AddonStatus>;

export const AddonKind = defineKind({
  kind: 'Addon',
  plural: 'addons',
  singular: 'addon',
  shortNames: ['ad'],
  namespaced: true,
  description: 'An addon on a cluster: what is applied, and its health.',
  spec: AddonSpec,
  status: AddonStatus,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.clusterName', description: 'Its cluster.' },
    { name: 'Addon', type: 'string', jsonPath: '.spec.addon', description: 'Name of the addon.' },
    { name: 'Bundle', type: 'string', jsonPath: '.status.manager.bundle', description: 'What is applied.' },
    {
      name: 'Healthy',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="Healthy")].status',
      description: 'Whether its workloads run.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
  ],
  rules: [
    {
      cel: 'self.spec.clusterName == oldSelf.spec.clusterName && self.spec.addon == oldSelf.spec.addon',
      message: 'clusterName and addon cannot change: make another Addon',
      fieldPath: '.spec',
      check: (now, before) =>
        !before || (now.spec.clusterName === before.spec.clusterName && now.spec.addon === before.spec.addon),
    },
  ],
});
