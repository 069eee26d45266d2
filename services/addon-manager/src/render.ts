import { createHash } from 'node:crypto';
import { TerminalError } from '@shoto/reconciler';
import { parseAllDocuments } from 'yaml';

/** What of a cluster may stand in manifests, as `{{name}}`. */
export interface Facts {
  podCIDR: string;
  serviceCIDR: string;
  /** Host of the API endpoint as machines reach it. */
  apiHost: string;
  apiPort: string;
  /** Image repository of the release. */
  imageRepository: string;
}

/** One object of a bundle. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

/** A bundle with a cluster's facts filled in. */
export interface Rendered {
  objects: Manifest[];
  /** SHA-256 of the text that the objects were read from. */
  digest: string;
}

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/**
 * Fills a cluster's facts into manifests and reads them. The same in gives the same out.
 *
 * @param expected - digest that the manifests must have
 * @throws {TerminalError} `DigestMismatch`, `UnknownFact`, `BrokenManifest`
 */
export function render(bundle: string, manifests: string, expected: string, facts: Facts): Rendered {
  const found = sha256(manifests);
  if (found !== expected)
    throw new TerminalError(
      'DigestMismatch',
      `bundle ${bundle} should have ${expected}, its manifests have ${found}: publish it again`,
    );
  const text = manifests.replace(/^#.*$/gm, '').replace(/\{\{(\w+)\}\}/g, (_all, name: string) => {
    const value = (facts as unknown as Record<string, string>)[name];
    if (value === undefined)
      throw new TerminalError(
        'UnknownFact',
        `bundle ${bundle} asks for {{${name}}}; there are ${Object.keys(facts).join(', ')}`,
      );
    return value;
  });
  const objects = parseAllDocuments(text).flatMap((doc, i) => {
    if ('errors' in doc && doc.errors.length > 0)
      throw new TerminalError('BrokenManifest', `bundle ${bundle}, document ${i + 1}: ${doc.errors[0]!.message}`);
    const o = 'toJS' in doc ? (doc.toJS() as Manifest | null) : null;
    if (o === null) return [];
    if (!o.apiVersion || !o.kind || !o.metadata?.name)
      throw new TerminalError(
        'BrokenManifest',
        `bundle ${bundle}, document ${i + 1}: needs apiVersion, kind and metadata.name`,
      );
    return [o];
  });
  return { objects, digest: sha256(text) };
}
