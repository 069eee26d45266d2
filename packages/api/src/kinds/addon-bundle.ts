import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { dnsLabel, objectName } from '../meta.ts';

const SEMVER = /^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
const digest = () =>
  z
    .string()
    .max(71)
    .regex(/^sha256:[0-9a-f]{64}$/);

/** Where a bundle stands on its way to maturity: a cluster on `candidate` also takes stable ones, one on `edge` all. */
export const CHANNELS = ['stable', 'candidate', 'edge'] as const;
export type Channel = (typeof CHANNELS)[number];

/** What an addon can give a cluster. */
export const PROVIDES = [
  'cni',
  'csi',
  'cloud-provider',
  'dns',
  'ingress',
  'metrics',
  'monitoring',
  'certificates',
  'node-problems',
  'snapshots',
] as const;

export const AddonBundleSpec = z.object({
  addon: dnsLabel(40).describe('Name of the addon, such as flannel.'),
  version: z.string().max(64).regex(SEMVER).describe('Semantic version of the bundle.'),
  channel: z
    .enum(CHANNELS)
    .optional()
    .describe('stable where absent. A cluster on candidate also takes stable ones, one on edge all.'),
  kubernetes: z
    .string()
    .min(1)
    .max(128)
    .regex(/^(>=|<=|<|>|=)?1\.[0-9]{1,3}(\.[0-9]{1,3})?( (>=|<=|<|>|=)?1\.[0-9]{1,3}(\.[0-9]{1,3})?)*$/)
    .describe('Kubernetes versions that it fits, such as >=1.35 <1.37; all comparisons must hold.'),
  dependsOn: z
    .array(
      z.object({
        name: dnsLabel(40).describe('Addon that must be there first.'),
        version: z.string().min(1).max(128).optional().describe('Versions of it that will do, such as >=8.0.0.'),
      }),
    )
    .max(16)
    .optional()
    .describe('Addons that must be healthy before this one is applied.')
    .meta({ listType: 'map', listMapKeys: ['name'] }),
  provides: z
    .array(z.enum(PROVIDES))
    .max(10)
    .default([])
    .describe('What a cluster gets from it.')
    .meta({ listType: 'set' }),
  manifests: z
    .object({
      digest: digest().describe(
        'SHA-256 of the text under the key; of the canonical JSON (RFC 8785) of all keys where they are files of a bundle.',
      ),
      configMapRef: z
        .object({
          namespace: dnsLabel().describe('Namespace of the ConfigMap.'),
          name: objectName().describe('Name of the ConfigMap.'),
          key: z
            .string()
            .min(1)
            .max(253)
            .default('manifests.yaml')
            .describe(
              'Key that holds YAML documents. Where the ConfigMap has a key bundle.yaml, all its keys are files of a bundle instead, __ standing for /.',
            ),
        })
        .describe('Where the manifests are kept.'),
    })
    .optional()
    .describe(
      'A small bundle that is kept in a ConfigMap: YAML documents, in which {{podCIDR}}, {{serviceCIDR}}, {{apiHost}}, {{apiPort}} and {{facts.x}} are filled in from the cluster, or all the files of a bundle.',
    ),
  oci: z
    .object({
      repository: z
        .string()
        .min(1)
        .max(255)
        .regex(/^[a-z0-9.-]+(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/)
        .describe('Repository in a registry: host[:port]/prefix/name.'),
      digest: digest().describe('Digest of its manifest.'),
      registry: objectName()
        .optional()
        .describe('AddonRegistry that it was found in: says how the registry is reached.'),
    })
    .optional()
    .describe('A bundle in a registry.'),
  health: z
    .array(
      z.object({
        apiVersion: z.string().min(1).max(128).optional().describe('API version; apps/v1 where absent.'),
        kind: z.string().min(1).max(63).describe('Kind of the object.'),
        namespace: dnsLabel().optional().describe('Its namespace.'),
        name: objectName().describe('Its name.'),
        cel: z
          .string()
          .min(1)
          .max(2048)
          .optional()
          .describe('CEL over object that must be true; the rule of its kind (rolled out, Established) where absent.'),
        message: z.string().max(256).optional().describe('What is said while cel is not true.'),
      }),
    )
    .max(32)
    .default([])
    .describe('What must hold for the addon to be healthy; a packed bundle says it itself.')
    .meta({ listType: 'atomic' }),
  credentials: z
    .array(z.enum(['openstack']))
    .max(4)
    .optional()
    .describe("What it needs of the tenant's credentials.")
    .meta({ listType: 'set' }),
  signedBy: z
    .string()
    .max(128)
    .optional()
    .describe('Fingerprint of the key that its signature was verified with; absent where it is not signed.'),
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
    { name: 'Channel', type: 'string', jsonPath: '.spec.channel', description: 'Channel; stable where empty.' },
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
    {
      cel: 'has(self.spec.manifests) != has(self.spec.oci)',
      message: 'a bundle is in a registry (oci) or in a ConfigMap (manifests): give one of both',
      fieldPath: '.spec',
      check: ({ spec }) => (spec.manifests === undefined) !== (spec.oci === undefined),
    },
  ],
});
