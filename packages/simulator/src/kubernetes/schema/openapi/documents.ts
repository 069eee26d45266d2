import { createHash } from 'node:crypto';
import type { JsonObject } from '../json.ts';
import { crdComponents, versionsOf } from './crd.ts';
import { crdPaths } from './crd-paths.ts';
import { builtinDocument, builtinSchemas, documentIndex, referencedSchemas } from './data.ts';

const documentPath = (groupVersion: string): string => {
  if (groupVersion.startsWith('api')) return groupVersion;
  return groupVersion.includes('/') ? `apis/${groupVersion}` : `api/${groupVersion}`;
};

/** Documents that are served whatever the groups are. */
const ALWAYS = ['api', 'apis', 'version', 'openid/v1/jwks', '.well-known/openid-configuration'];

/**
 * The index at /openapi/v3: where each group version's document is, with a hash of its content that clients cache it by.
 *
 * @param groupVersions - what the server serves, e.g. `v1`, `apps/v1`; those of CustomResourceDefinitions need not be named
 * @param crds - the established CustomResourceDefinitions
 */
export function openApiV3Root(groupVersions: readonly string[], crds: readonly object[]): object {
  const hashes = new Map<string, string>();
  const index = documentIndex();
  const wanted = new Set(ALWAYS);
  for (const groupVersion of groupVersions) {
    const path = documentPath(groupVersion);
    wanted.add(path);
    const parts = path.split('/');
    if (parts.length === 3) wanted.add(`${parts[0]}/${parts[1]}`);
  }
  for (const path of wanted) {
    const entry = Object.hasOwn(index, path) ? index[path] : undefined;
    if (entry !== undefined) hashes.set(path, entry.hash);
  }
  const custom = new Map<string, ReturnType<typeof createHash>>();
  for (const version of versionsOf(crds)) {
    const path = `apis/${version.group}/${version.version}`;
    const hash = custom.get(path) ?? createHash('sha512');
    custom.set(path, hash.update(JSON.stringify(version)));
  }
  for (const [path, hash] of custom) hashes.set(path, hash.digest('hex').toUpperCase());
  const paths: JsonObject = {};
  for (const path of [...hashes.keys()].sort()) {
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hashes.get(path)}` };
  }
  return { paths };
}

const builtinCache = new Map<string, JsonObject>();

/**
 * The document at /openapi/v3/<path>: Kubernetes' own for its groups, generated for CustomResourceDefinitions.
 *
 * @param groupVersion - `v1`, `apps/v1`, or the document's path as the index names it, e.g. `api/v1`, `apis/apps`
 * @returns undefined when there is no such document
 */
export function openApiV3Document(groupVersion: string, crds: readonly object[]): object | undefined {
  const path = documentPath(groupVersion);
  const versions = versionsOf(crds, path.replace(/^apis\//, ''));
  if (versions.length > 0) {
    const paths = Object.assign({}, ...versions.map(crdPaths)) as JsonObject;
    const own = Object.assign({}, ...versions.map(crdComponents)) as Record<string, JsonObject>;
    const schemas = { ...own, ...referencedSchemas([paths, own]) };
    return {
      openapi: '3.0.0',
      info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
      paths,
      components: { schemas },
    };
  }
  const cached = builtinCache.get(path);
  if (cached !== undefined) return cached;
  const builtin = builtinDocument(path);
  if (builtin === undefined) return undefined;
  const all = builtinSchemas();
  const document = {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.35.4' },
    paths: builtin.paths,
    components: {
      schemas: Object.fromEntries(builtin.schemas.map((name) => [name, all[name]])),
      securitySchemes: {
        BearerToken: {
          description: 'Bearer Token authentication',
          in: 'header',
          name: 'authorization',
          type: 'apiKey',
        },
      },
    },
  };
  builtinCache.set(path, document);
  return document;
}
