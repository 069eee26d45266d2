import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { conditions, dnsLabel, revision, SecretRef, time } from '../meta.ts';

export const AddonRegistrySpec = z.object({
  url: z
    .string()
    .min(1)
    .max(255)
    .regex(/^oci:\/\/[a-z0-9.-]+(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/)
    .describe('oci://host[:port]/prefix: bundles are repositories below it, named like their addons.'),
  addons: z
    .array(dnsLabel(40))
    .max(256)
    .default([])
    .describe("Addons to look for; all of the registry's catalogue (_catalog) where empty.")
    .meta({ listType: 'set' }),
  intervalSeconds: z.int().min(30).max(86_400).default(300).describe('How often the registry is asked.'),
  plainHttp: z.boolean().default(false).describe('Whether it is reached without TLS: for tests and sealed networks.'),
  credentialsSecretRef: SecretRef.optional().describe(
    'Secret with the keys username and password, in a namespace that addon-manager may read; asked without them where absent.',
  ),
  caBundle: z.string().max(65_536).optional().describe('PEM of the CAs that vouch for the registry.'),
  publicKeys: z
    .array(z.string().min(1).max(2048))
    .max(8)
    .default([])
    .describe('PEM of the keys (ECDSA P-256) that bundles may be signed with.')
    .meta({ listType: 'atomic' }),
  requireSignature: z
    .boolean()
    .optional()
    .describe('Whether unsigned bundles are refused; where absent: when publicKeys has keys.'),
});
export const AddonRegistryStatus = z
  .object({
    manager: z
      .object({
        revision: revision(),
        lastPolledAt: time().optional().describe('When it was asked last, and answered.'),
        pollNow: z.string().max(256).optional().describe('Value of the annotation shoto.dev/poll-now at that time.'),
        bundles: z.int().min(0).optional().describe('AddonBundles that are from it.'),
        refused: z
          .array(
            z.object({
              reference: z.string().max(400).describe('Repository and tag.'),
              reason: z.string().max(1024).describe('Why it is no AddonBundle, in one line.'),
            }),
          )
          .max(64)
          .optional()
          .describe('What was found there and is refused.')
          .meta({ listType: 'atomic' }),
        conditions: conditions('of the registry: Reachable'),
      })
      .prefault({})
      .describe("The addon-manager's map."),
  })
  .prefault({});
export type AddonRegistrySpec = z.output<typeof AddonRegistrySpec>;
export type AddonRegistryStatus = z.output<typeof AddonRegistryStatus>;
/** An OCI registry that addon bundles come from. */
export type AddonRegistry = ObjectOf<AddonRegistrySpec, AddonRegistryStatus>;

export const AddonRegistryKind = defineKind({
  kind: 'AddonRegistry',
  plural: 'addonregistries',
  singular: 'addonregistry',
  shortNames: ['areg'],
  namespaced: false,
  description:
    'An OCI registry that addon bundles come from: asked again and again, each new version becomes an AddonBundle.',
  spec: AddonRegistrySpec,
  status: AddonRegistryStatus,
  columns: [
    { name: 'URL', type: 'string', jsonPath: '.spec.url', description: 'Where it is.' },
    {
      name: 'Reachable',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="Reachable")].status',
      description: 'Whether it answers.',
    },
    { name: 'Bundles', type: 'integer', jsonPath: '.status.manager.bundles', description: 'AddonBundles from it.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="Reachable")].message',
      description: 'Why it answers, or does not.',
      priority: 1,
    },
  ],
  rules: [
    {
      cel: '!has(self.spec.requireSignature) || !self.spec.requireSignature || self.spec.publicKeys.size() > 0',
      message: 'requireSignature needs publicKeys: without a key no signature can be verified',
      fieldPath: '.spec.publicKeys',
      check: ({ spec }) => !spec.requireSignature || spec.publicKeys.length > 0,
    },
  ],
});
