import { methodNotAllowed, notAcceptable } from '../status.ts';
import type { Json } from '../types.ts';
import { negotiate } from './accept.ts';
import type { DeprecatedApi } from './deprecated-apis.ts';
import { aggregated, groupDocument, groupList, groupsOf, resourceList } from './discovery.ts';
import type { Exchange } from './exchange.ts';
import type { OpenApiCache } from './openapi-cache.ts';
import { send, sendText } from './respond.ts';

/** What the paths that are not objects need. */
export interface PathOptions {
  version: string;
  openApi: OpenApiCache;
  /** Keys of service-account tokens, for OpenID discovery. */
  jwks: Json[];
  issuer: string;
  startedAtMs: number;
  /** Those that this server was asked for since its start. */
  deprecatedApis: (front: string | undefined) => DeprecatedApi[];
}

const checks = [
  'ping',
  'log',
  'etcd',
  'poststarthook/start-apiextensions-controllers',
  'poststarthook/rbac/bootstrap-roles',
  'poststarthook/crd-informer-synced',
  'autoregister-completion',
];

function health(x: Exchange, name: string): void {
  const excluded = x.info.query.getAll('exclude');
  if (!x.info.query.has('verbose')) {
    sendText(x.response, 200, 'ok');
    return;
  }
  const lines = checks.map((c) => (excluded.includes(c) ? `[+]${c} excluded: ok` : `[+]${c} ok`));
  sendText(x.response, 200, `${lines.join('\n')}\n${name} check passed\n`);
}

function versionDocument(version: string): Json {
  const [, major = '1', minor = '35'] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: version,
    gitCommit: 'simulated',
    gitTreeState: 'clean',
    buildDate: '2026-01-01T00:00:00Z',
    goVersion: 'go1.25.0',
    compiler: 'gc',
    platform: 'linux/amd64',
  };
}

function discovery(x: Exchange, parts: string[]): Json | undefined {
  const { registry } = x.core;
  const core = parts[0] === 'api';
  if (parts.length === 1) {
    if (negotiate(x.request.headers.accept)?.as === 'discovery') {
      x.response.setHeader('vary', 'Accept');
      return aggregated(registry, core);
    }
    if (!core) return groupList(registry);
    const serverAddress = x.request.headers.host ?? '';
    return {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
    };
  }
  if (core) return parts.length === 2 ? resourceList(registry, '', parts[1] as string) : undefined;
  return parts.length === 2
    ? groupDocument(registry, parts[1] as string)
    : parts.length === 3
      ? resourceList(registry, parts[1] as string, parts[2] as string)
      : undefined;
}

/** Answers a path below /openapi; gives whether there is a document. */
function openApi(x: Exchange, o: PathOptions, path: string): boolean {
  const { registry, schemas } = x.core;
  const crds = (): object[] => registry.definitions();
  let text: string | undefined;
  if (path === '/openapi/v2') {
    if (/^application\/com\.github\.proto/.test(x.request.headers.accept ?? ''))
      throw notAcceptable(['application/json']);
    text = o.openApi.get(path, () => schemas.openApiV2(crds()));
  } else if (path === '/openapi/v3') {
    const paths = groupsOf(registry).flatMap((g) =>
      g.versions.map((v) => (g.group === '' ? `api/${v.version}` : `apis/${g.group}/${v.version}`)),
    );
    text = o.openApi.get(path, () => schemas.openApiV3Root(paths, crds()));
  } else if (path.startsWith('/openapi/v3/')) {
    const document = path.slice('/openapi/v3/'.length);
    text = o.openApi.get(path, () => schemas.openApiV3Document(document, crds()));
    x.response.setHeader('etag', `"${registry.generation}"`);
  }
  if (text === undefined) return false;
  sendText(x.response, 200, text, 'application/json');
  return true;
}

/**
 * Answers a path that is no object: version, health, discovery, OpenAPI.
 * @throws {StatusError} 405 for anything but GET
 */
export function handlePath(x: Exchange, o: PathOptions): void {
  const path = x.info.path.replace(/\/+$/, '') || '/';
  const parts = path.split('/').filter((p) => p !== '');
  if (x.info.verb !== 'get' && x.info.verb !== 'head') throw methodNotAllowed();
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) {
    health(x, parts[0] as string);
    return;
  }
  if (path === '/version') {
    send(x.response, 200, versionDocument(x.version ?? o.version));
    return;
  }
  if (path === '/openid/v1/jwks') {
    send(x.response, 200, { keys: o.jwks });
    return;
  }
  if (path === '/.well-known/openid-configuration') {
    send(x.response, 200, {
      issuer: o.issuer,
      jwks_uri: `${o.issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: o.jwks.map((k) => k.alg),
    });
    return;
  }
  if (path === '/metrics') {
    sendText(x.response, 200, metrics(x, o), 'text/plain; version=0.0.4; charset=utf-8');
    return;
  }
  if (parts[0] === 'openapi' && openApi(x, o, path)) return;
  if (parts[0] === 'api' || parts[0] === 'apis') {
    const found = discovery(x, parts);
    if (found) {
      // Clients tell the aggregated form from the old one by the media type alone.
      const form =
        found.kind === 'APIGroupDiscoveryList'
          ? 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
          : '';
      send(x.response, 200, found, negotiate(x.request.headers.accept)?.yaml, form);
      return;
    }
  }
  if (path === '/') {
    const paths = groupsOf(x.core.registry).flatMap((g) =>
      g.group === ''
        ? ['/api', '/api/v1', '/apis']
        : [`/apis/${g.group}`, ...g.versions.map((v) => `/apis/${g.group}/${v.version}`)],
    );
    send(x.response, 200, {
      paths: [...paths, '/healthz', '/livez', '/metrics', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
    });
    return;
  }
  // kube-apiserver answers unknown paths in plain text; clients make a Status of it.
  sendText(x.response, 404, '404 page not found\n');
}

function metrics(x: Exchange, o: PathOptions): string {
  const lines = [
    '# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.',
    '# TYPE apiserver_storage_objects gauge',
  ];
  for (const type of x.core.registry.types()) {
    const n = x.core.store.count(type.table);
    if (n > 0)
      lines.push(
        `apiserver_storage_objects{resource="${type.group === '' ? type.plural : `${type.plural}.${type.group}`}"} ${n}`,
      );
  }
  const deprecated = o
    .deprecatedApis(x.front?.name)
    .map(
      (d) =>
        `apiserver_requested_deprecated_apis{group="${d.group}",removed_release="${d.removedRelease}",resource="${d.resource}",subresource="${d.subresource}",version="${d.version}"} 1`,
    );
  if (deprecated.length > 0)
    lines.push(
      '# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.',
      '# TYPE apiserver_requested_deprecated_apis gauge',
      ...deprecated,
    );
  lines.push(
    '# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.',
    '# TYPE process_start_time_seconds gauge',
    `process_start_time_seconds ${(x.front?.startedAtMs ?? o.startedAtMs) / 1000}`,
  );
  return `${lines.join('\n')}\n`;
}
