export { type CelVariables, celHolds, celProblem, ExpressionError } from './cel.ts';
export type { Choosable, WantedAddon } from './choose/choose.ts';

export {
  type AddonBlock,
  type AddonBlockReason,
  type AddonsPlan,
  type PlanInput,
  type PlannedAddon,
  planAddons,
} from './choose/plan.ts';
export { compareVersions, fits } from './choose/range.ts';
export { BundleError, type BundleProblem, problemText } from './errors.ts';
export { type BundleContent, bundleOf, LIMITS, textOf } from './format/content.ts';
export { BundleManifest, EXCLUSIVE, HealthCheck, SEMVER } from './format/manifest.ts';

export { readBundleDir } from './format/read-dir.ts';
export { canonicalJson, type Json, type JsonObject, sha256 } from './json.ts';
export type { LintOptions } from './lint/context.ts';
export type { Finding, Severity } from './lint/finding.ts';
export { type KubernetesData, kubernetesData } from './lint/kubernetes-data.ts';
export { lint } from './lint/lint.ts';
export { sampleFacts } from './lint/sample-facts.ts';
export type { Credentials } from './oci/auth.ts';
export { inspectBundle, type PublishedBundle, pullBundle, pushBundle } from './oci/bundles.ts';
export { RegistryClient, type RegistryOptions, type StoredManifest } from './oci/client.ts';
export { RegistryError, type RegistryReason } from './oci/error.ts';
export {
  type Descriptor,
  MEDIA_TYPES,
  type OciManifest,
  type PackedBundle,
  packBundle,
  partsOf,
  readConfig,
  readOciManifest,
  unpackBundle,
} from './oci/pack.ts';
export {
  type BundleReference,
  parseLocation,
  parseReference,
  type RegistryLocation,
  tagOf,
  versionOfTag,
} from './oci/reference.ts';
export { RenderCache, type RenderCacheOptions, type RenderCacheStats } from './render/cache.ts';

export { type HelmOptions, helmTemplate } from './render/helm.ts';
export { groupOf, identityOf, type Manifest, nameOf } from './render/object.ts';
export { ADDON_LABEL, type ChartRenderer, type Rendered, type RenderInput, render } from './render/render.ts';
export { fingerprintOf, generateKeyPair, type KeyPair, readPrivateKey, readPublicKey } from './sign/keys.ts';
export { signatureTag, signBundle, verifyBundle } from './sign/signature.ts';
export { mergeValues } from './values/merge.ts';
export { resolveValues } from './values/schema.ts';
export { type ClearSecret, secretsInClear } from './values/secrets.ts';
export { readYaml, type YamlDocument } from './yaml.ts';
