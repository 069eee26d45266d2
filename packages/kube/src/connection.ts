import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { type Login, pluginLogin } from './login-plugin.ts';

/** How an API server is reached and who we are there. Holds secrets: never log it. */
export interface Connection {
  /** `https://host:port`, a path after it is kept. */
  server: string;
  /** PEM of the CAs that vouch for the server; the system's if left out. */
  ca?: string;
  /** Client certificate, PEM. */
  cert?: string;
  /** Its key, PEM. */
  key?: string;
  /** Bearer token; a function is called for each request and must keep what it may reuse. */
  token?: string | (() => Promise<string>);
  /** The name to ask and verify the server's certificate for, if not the host of `server`. */
  serverName?: string;
  /** The server's certificate is not verified. For a lab only; default false. */
  insecure?: boolean;
  /** A login by plug-in (exec, OIDC). Called before the first request, and with `again` after a 401. */
  login?: (again: boolean) => Promise<Login>;
}

interface Named<K extends string, V> {
  entries: ({ name: string } & { [P in K]?: V })[] | undefined;
}
interface KubeconfigCluster {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
}
interface KubeconfigUser {
  token?: string;
  tokenFile?: string;
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  exec?: unknown;
  'auth-provider'?: unknown;
  username?: string;
  password?: string;
}
interface Kubeconfig {
  'current-context'?: string;
  clusters?: Named<'cluster', KubeconfigCluster>['entries'];
  users?: Named<'user', KubeconfigUser>['entries'];
  contexts?: Named<'context', { cluster?: string; user?: string }>['entries'];
}

/** A kubeconfig that cannot be used. The message names file, entry and mend, never a value of it. */
export class KubeconfigError extends Error {
  constructor(where: string, what: string, options?: ErrorOptions) {
    super(`kubeconfig ${where}: ${what}`, options);
    this.name = 'KubeconfigError';
  }
}

/** Where a pod finds its service account (Kubernetes, "Accessing the API from a Pod"). */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Reads how to reach a cluster.
 *
 * Certificates, tokens and their files are read here, as `kubectl` does. Logins by plug-in (`exec`, `auth-provider`) are
 * carried out by `@kubernetes/client-node`, which is loaded only then: it costs half a second and 130 MB.
 *
 * @param file - path of a kubeconfig; without it and `text`: the pod's service account
 * @param text - a kubeconfig itself
 * @param context - default: its `current-context`
 * @throws {KubeconfigError} unreadable, not YAML, context or entry missing, a referenced file missing
 */
export function connectionFromKubeconfig(o: { file?: string; text?: string; context?: string } = {}): Connection {
  if (!o.file && o.text === undefined) return inClusterConnection();
  const where = o.file ?? '(text)';
  const text = o.text ?? readOrThrow(where, 'it', o.file ?? '');
  let config: Kubeconfig | null;
  try {
    config = parse(text) as Kubeconfig | null;
  } catch (e) {
    // The parser's message quotes the text, which holds keys: only its place is said.
    const line = (e as { linePos?: { line: number }[] }).linePos?.[0]?.line;
    throw new KubeconfigError(where, `is not YAML${line ? ` (line ${line})` : ''}`);
  }
  if (!config || typeof config !== 'object') throw new KubeconfigError(where, 'is empty');

  const contextName = o.context ?? config['current-context'] ?? '';
  const context = config.contexts?.find((c) => c.name === contextName)?.context;
  if (!context) {
    const known = config.contexts?.map((c) => c.name).join(', ') || 'none';
    throw new KubeconfigError(where, `has no context "${contextName}" (it has: ${known})`);
  }
  const cluster = config.clusters?.find((c) => c.name === context.cluster)?.cluster;
  if (!cluster?.server) throw new KubeconfigError(where, `has no cluster "${context.cluster}" with a server`);
  const user = config.users?.find((u) => u.name === context.user)?.user ?? {};
  if (!URL.canParse(cluster.server))
    throw new KubeconfigError(where, `cluster "${context.cluster}": server is not a URL`);

  const base = o.file ? dirname(o.file) : process.cwd();
  const pem = (data: string | undefined, path: string | undefined, what: string): string | undefined => {
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    return path ? readOrThrow(where, what, isAbsolute(path) ? path : join(base, path)) : undefined;
  };
  const connection: Connection = { server: cluster.server.replace(/\/+$/, '') };
  const ca = pem(cluster['certificate-authority-data'], cluster['certificate-authority'], 'certificate-authority');
  const cert = pem(user['client-certificate-data'], user['client-certificate'], 'client-certificate');
  const key = pem(user['client-key-data'], user['client-key'], 'client-key');
  if (ca) connection.ca = ca;
  if (cert) connection.cert = cert;
  if (key) connection.key = key;
  if (cluster['tls-server-name']) connection.serverName = cluster['tls-server-name'];
  if (cluster['insecure-skip-tls-verify']) connection.insecure = true;
  if (user.tokenFile)
    connection.token = tokenFromFile(isAbsolute(user.tokenFile) ? user.tokenFile : join(base, user.tokenFile));
  else if (user.token) connection.token = user.token;
  if (user.exec || user['auth-provider']) connection.login = pluginLogin({ text, context: contextName, base });
  else if (user.username || user.password) {
    throw new KubeconfigError(
      where,
      `user "${context.user}": basic authentication is not supported by Kubernetes since 1.19`,
    );
  }
  return connection;
}

/**
 * The connection of a pod: its service account's token (read again each minute, it is rotated) and CA.
 * @throws {KubeconfigError} outside a pod
 */
function inClusterConnection(): Connection {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  const port = process.env.KUBERNETES_SERVICE_PORT ?? '443';
  if (!host) {
    throw new KubeconfigError(
      '(none given)',
      'and this is not a pod (KUBERNETES_SERVICE_HOST is not set): give a kubeconfig file',
    );
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readOrThrow('of the pod', 'CA', `${SERVICE_ACCOUNT}/ca.crt`),
    token: tokenFromFile(`${SERVICE_ACCOUNT}/token`),
  };
}

const TOKEN_FILE_MS = 60_000;

function tokenFromFile(path: string): () => Promise<string> {
  let token = '';
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt > TOKEN_FILE_MS) {
      token = readOrThrow('token', 'file', path).trim();
      readAt = performance.now();
    }
    return token;
  };
}

function readOrThrow(where: string, what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new KubeconfigError(where, `${what} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
