import { createHash } from 'node:crypto';
import type { AddonBundle } from '@shoto/api';
import { type BundleContent, bundleOf, canonicalJson } from '@shoto/bundle';
import { CONFIGMAPS, type HasMeta, type KubeClient } from '@shoto/kube';
import { TerminalError } from '@shoto/reconciler';
import { stringify } from 'yaml';

interface ConfigMap extends HasMeta {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

/** Facts that may stand in a single manifest without `facts.` before them, as before there were packed bundles. */
const SHORT = ['podCIDR', 'serviceCIDR', 'apiHost', 'apiPort', 'imageRepository'];
/** Stands for `/` in the keys of a ConfigMap, which know none. */
const SLASH = '__';

const sha256 = (data: string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/**
 * Reads a small bundle out of its ConfigMap: all the files of a bundle, each under its path with `__` for `/` (where there is a key
 * `bundle.yaml`), or a single text of manifests.
 *
 * @throws {TerminalError} `ManifestsMissing`, `DigestMismatch`
 * @throws {BundleError} where the files are no bundle
 */
export async function readInline(client: KubeClient, bundle: AddonBundle): Promise<BundleContent> {
  const { name } = bundle.metadata;
  const { configMapRef, digest } = bundle.spec.manifests!;
  const where = `ConfigMap ${configMapRef.namespace}/${configMapRef.name}`;
  const map = await client.get<ConfigMap>(CONFIGMAPS, configMapRef);
  const files = map?.data?.['bundle.yaml'] === undefined ? undefined : map.data;
  if (files) {
    verify(name, digest, digestOfFiles(files));
    return bundleOf(Object.entries(files).map(([key, text]) => [key.replaceAll(SLASH, '/'), text] as const));
  }
  const text = map?.data?.[configMapRef.key];
  if (text === undefined)
    throw new TerminalError(
      'ManifestsMissing',
      `bundle ${name}: ${where} has no key ${configMapRef.key}: publish it again`,
    );
  verify(name, digest, sha256(text));
  return single(bundle, text);
}

/** The digest of a bundle whose files are the keys of a ConfigMap: SHA-256 of their canonical JSON. */
export const digestOfFiles = (files: Record<string, string>): string => sha256(canonicalJson(files));

function verify(name: string, expected: string, found: string): void {
  if (found !== expected)
    throw new TerminalError(
      'DigestMismatch',
      `bundle ${name} should have ${expected}, its manifests have ${found}: publish it again`,
    );
}

/** A text of manifests as a bundle; what bundle.yaml would say stands in the AddonBundle. */
function single({ spec }: AddonBundle, text: string): BundleContent {
  const manifest = {
    apiVersion: 'bundle.shoto.dev/v1alpha1',
    kind: 'Bundle',
    name: spec.addon,
    version: spec.version,
    kubernetes: spec.kubernetes,
    ...(spec.channel ? { channel: spec.channel } : {}),
    ...(spec.dependsOn ? { dependsOn: spec.dependsOn } : {}),
    ...(spec.credentials ? { credentials: spec.credentials } : {}),
    provides: spec.provides,
    content: { manifests: 'manifests' },
    health: { checks: spec.health.map(({ apiVersion = 'apps/v1', ...check }) => ({ apiVersion, ...check })) },
  };
  const facts = new RegExp(`\\{\\{(${SHORT.join('|')})\\}\\}`, 'g');
  // Comments may mention braces.
  const manifests = text.replace(/^#.*$/gm, '').replace(facts, '{{facts.$1}}');
  return bundleOf([
    ['bundle.yaml', stringify(manifest)],
    ['manifests/manifests.yaml', manifests],
  ]);
}
