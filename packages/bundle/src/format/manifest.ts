import { CHANNELS, PROVIDES } from '@shoto/api';
import { z } from 'zod';

export const SEMVER = /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
const KUBERNETES_RANGE = /^(>=|<=|<|>|=)?1\.[0-9]{1,3}(\.[0-9]{1,3})?( (>=|<=|<|>|=)?1\.[0-9]{1,3}(\.[0-9]{1,3})?)*$/;
const VERSION_RANGE = /^(>=|<=|<|>|=)?[0-9]{1,6}(\.[0-9]{1,6}){0,2}( (>=|<=|<|>|=)?[0-9]{1,6}(\.[0-9]{1,6}){0,2})*$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** A path inside the bundle: relative, without `..`. */
const INSIDE = /^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[^\\\0]+$/;

const label = (max = 63) => z.string().min(1).max(max).regex(DNS_LABEL, 'lower-case letters, digits and dashes');
const name = () => z.string().min(1).max(253);
const text = (max: number) => z.string().min(1).max(max);
/** An expression; checked when the manifest is read. */
const cel = () => text(4096);

/** What only one addon of a cluster may provide. */
export const EXCLUSIVE: ReadonlySet<string> = new Set([
  'cni',
  'ingress',
  'metrics',
  'dns',
  'certificates',
  'cloud-provider',
  'snapshots',
]);
/** Objects that something is said of: all that are stated must match. */
const selector = {
  apiVersion: text(128).optional(),
  kind: text(63),
  name: name().optional(),
  namespace: label().optional(),
};

const JsonPatchOperation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.enum(['add', 'replace', 'test']), path: z.string(), value: z.json() }),
  z.strictObject({ op: z.literal('remove'), path: z.string() }),
  z.strictObject({ op: z.enum(['move', 'copy']), from: z.string(), path: z.string() }),
]);

const patch = z
  .strictObject({
    target: z.strictObject(selector),
    when: cel().optional(),
    merge: z.record(z.string(), z.json()).optional(),
    json: z.array(JsonPatchOperation).min(1).max(256).optional(),
  })
  .refine((p) => (p.merge === undefined) !== (p.json === undefined), {
    message: 'give exactly one of merge (RFC 7386) and json (RFC 6902)',
  });

const content = z.union(
  [
    z.strictObject({ manifests: text(256).regex(INSIDE, 'a folder inside the bundle') }),
    z.strictObject({
      helm: z.strictObject({
        chart: text(256).regex(INSIDE, 'a folder inside the bundle'),
        releaseName: label(53).optional(),
        values: z.record(z.string(), z.json()).optional(),
      }),
    }),
  ],
  { error: 'give { manifests: <folder> } or { helm: { chart: <folder>, releaseName: <name>, values: {...} } }' },
);

/** What tells that an object is healthy: CEL, or the rule of its kind. */
export const HealthCheck = z.strictObject({
  apiVersion: text(128),
  kind: text(63),
  namespace: label().optional(),
  name: name(),
  cel: cel().optional(),
  message: text(256).optional(),
});

/** `bundle.yaml`: what a bundle is, which Kubernetes versions it fits, and how its content is treated. */
export const BundleManifest = z.strictObject({
  apiVersion: z.literal('bundle.shoto.dev/v1alpha1'),
  kind: z.literal('Bundle'),
  /** Name of the addon; the same in all its versions. */
  name: label(40),
  /** Semantic version of the bundle. */
  version: z.string().max(64).regex(SEMVER, 'a semantic version, such as 1.35.1'),
  channel: z.enum(CHANNELS).default('stable'),
  /** Kubernetes versions that it fits: comparisons, all of which must hold. */
  kubernetes: text(128).regex(
    KUBERNETES_RANGE,
    'comparisons of Kubernetes versions with a space between, such as >=1.35 <1.37',
  ),
  description: text(256).optional(),
  /** Page of the project. */
  home: z.url({ protocol: /^https?$/ }).optional(),
  /** SPDX expression of what is in it. */
  license: text(128).optional(),
  /** Where the content comes from. */
  source: text(512).optional(),
  /** Where dashboards, alerts and objects without a namespace go; made where it is not a built-in one. */
  namespace: label().default('kube-system'),
  dependsOn: z
    .array(
      z.strictObject({
        name: label(40),
        version: text(128)
          .regex(VERSION_RANGE, 'comparisons of versions with a space between, such as >=8.0.0')
          .optional(),
      }),
    )
    .max(16)
    .default([]),
  provides: z.array(z.enum(PROVIDES)).max(16).default([]),
  content,
  patches: z.array(patch).max(128).default([]),
  health: z
    .strictObject({
      timeoutSeconds: z.int().min(10).max(3600).default(600),
      checks: z.array(HealthCheck).max(32).default([]),
    })
    .prefault({}),
  prune: z.strictObject({ never: z.array(z.strictObject(selector)).max(64).default([]) }).prefault({}),
  drift: z
    .strictObject({
      ignore: z
        .array(
          z.strictObject({
            ...selector,
            paths: z
              .array(
                z
                  .string()
                  .max(512)
                  .regex(/^(\/[^/]*)+$/, 'a JSON pointer, such as /spec/replicas'),
              )
              .min(1)
              .max(64),
          }),
        )
        .max(64)
        .default([]),
    })
    .prefault({}),
  /** Credentials of the tenant that it needs. */
  credentials: z
    .array(z.enum(['openstack']))
    .max(4)
    .default([]),
  /** Every image that the content names; a digest only where it is known. */
  images: z
    .array(
      z.strictObject({
        name: text(256),
        tag: text(128).optional(),
        digest: z
          .string()
          .regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits')
          .optional(),
      }),
    )
    .max(128)
    .default([]),
  /** Objects that may be privileged, and why. */
  privileged: z
    .array(z.strictObject({ kind: text(63), name: name(), why: text(256) }))
    .max(64)
    .default([]),
});
export type BundleManifest = z.output<typeof BundleManifest>;
export type BundlePatch = BundleManifest['patches'][number];
export type JsonPatchOperation = z.output<typeof JsonPatchOperation>;
export type HealthCheck = z.output<typeof HealthCheck>;
