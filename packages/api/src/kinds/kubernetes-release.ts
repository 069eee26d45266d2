import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { dnsLabel, objectName, time } from '../meta.ts';
import { RELEASE_NAME } from '../release-name.ts';

const override = (document: string) =>
  z.string().max(16384).optional().describe(`YAML mapping that is merged into kubeadm's ${document}.`);

export const KubernetesReleaseSpec = z.object({
  version: z
    .string()
    .max(32)
    .regex(/^v1\.[0-9]{1,3}\.[0-9]{1,3}$/)
    .describe('Kubernetes version, v1.35.4.'),
  images: z
    .array(
      z.object({
        region: objectName().describe('Name of the Region.'),
        image: z.string().min(1).max(255).describe('Name or ID of the node image in that region.'),
      }),
    )
    .min(1)
    .max(64)
    .describe('The node image in each region that offers this release.')
    .meta({ listType: 'map', listMapKeys: ['region'] }),
  imageRepository: z
    .string()
    .min(1)
    .max(255)
    .default('registry.k8s.io')
    .describe("Where the control plane's container images come from."),
  artifacts: z
    .array(
      z.object({
        name: dnsLabel(63).describe('Name of the binary, such as kubeadm.'),
        url: z
          .string()
          .max(1024)
          .regex(/^https?:\/\/[^ ]+$/)
          .describe('Where the machine downloads it.'),
        sha256: z
          .string()
          .max(64)
          .regex(/^[0-9a-f]{64}$/)
          .describe('SHA-256 of the content, in hexadecimal.'),
        path: z
          .string()
          .max(255)
          .regex(/^\/[A-Za-z0-9._/-]+$/)
          .describe('Where it is put on the machine.'),
        mode: z
          .string()
          .max(4)
          .regex(/^0[0-7]{3}$/)
          .default('0755')
          .describe('Its file mode, in octal.'),
      }),
    )
    .max(32)
    .default([])
    .describe(
      'Binaries for images that lack them; each is fetched only where the image has it not, and checked by SHA-256.',
    )
    .meta({ listType: 'map', listMapKeys: ['name'] }),
  overrides: z
    .object({
      initConfiguration: override('InitConfiguration'),
      joinConfiguration: override('JoinConfiguration'),
      clusterConfiguration: override('ClusterConfiguration'),
      kubeletConfiguration: override('KubeletConfiguration'),
      kubeProxyConfiguration: override('KubeProxyConfiguration'),
    })
    .prefault({})
    .describe("What is merged into kubeadm's configuration for this release."),
  support: z
    .object({
      from: time().optional().describe('Since when clusters may ask for it; always where absent.'),
      until: time().optional().describe('Until when it is supported; for ever where absent.'),
      withdrawn: z.boolean().default(false).describe('No new cluster and no upgrade may ask for it any more.'),
    })
    .prefault({})
    .describe('Support window; the only part that may change.'),
  upgradableFrom: z
    .array(z.string().max(32).regex(RELEASE_NAME))
    .max(64)
    .default([])
    .describe('Releases that may upgrade to this one; those of the same and of the previous minor where empty.')
    .meta({ listType: 'set' }),
});

export const KubernetesReleaseStatus = z.object({}).prefault({});

export type KubernetesReleaseSpec = z.output<typeof KubernetesReleaseSpec>;
/** A Kubernetes version on offer. */
export type KubernetesRelease = ObjectOf<KubernetesReleaseSpec, z.output<typeof KubernetesReleaseStatus>>;

const FIXED = ['version', 'images', 'imageRepository', 'artifacts', 'overrides', 'upgradableFrom'] as const;

export const KubernetesReleaseKind = defineKind({
  kind: 'KubernetesRelease',
  plural: 'kubernetesreleases',
  singular: 'kubernetesrelease',
  shortNames: ['kr'],
  namespaced: false,
  description:
    'A Kubernetes version on offer, with its node images. Immutable but for the support window: a new image is a new release.',
  spec: KubernetesReleaseSpec,
  status: KubernetesReleaseStatus,
  columns: [
    { name: 'Version', type: 'string', jsonPath: '.spec.version', description: 'Kubernetes version.' },
    {
      name: 'Withdrawn',
      type: 'boolean',
      jsonPath: '.spec.support.withdrawn',
      description: 'Whether it may still be asked for.',
    },
    { name: 'Until', type: 'string', jsonPath: '.spec.support.until', description: 'Until when it is supported.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
  ],
  rules: [
    {
      cel: "self.metadata.name == self.spec.version || self.metadata.name.startsWith(self.spec.version + '-')",
      message: 'the name is the version, or the version and a revision: v1.35.4 or v1.35.4-2',
      fieldPath: '.spec.version',
      check: ({ metadata, spec }) => metadata.name === spec.version || metadata.name.startsWith(`${spec.version}-`),
    },
    ...FIXED.map((field) => ({
      cel: `self.spec.${field} == oldSelf.spec.${field}`,
      message: `${field} of a release cannot change: publish a new release instead (v1.35.4-2)`,
      fieldPath: `.spec.${field}`,
      check: (now: { spec: KubernetesReleaseSpec }, before: { spec: KubernetesReleaseSpec } | undefined) =>
        !before || JSON.stringify(now.spec[field]) === JSON.stringify(before.spec[field]),
    })),
  ],
});
