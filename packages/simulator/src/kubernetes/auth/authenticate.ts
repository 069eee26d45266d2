import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Core } from '../server-core.ts';
import { unauthorized } from '../status.ts';
import type { User } from '../types.ts';
import { at, list, record, text } from '../util/json.ts';
import type { TokenSigner } from './jwt.ts';

/** How callers prove who they are. A client certificate counts when the listening socket has verified it (`socket.authorized`). */
export interface AuthenticationOptions {
  staticTokens?: { token: string; user: string; uid?: string; groups?: string[] }[];
  /** PEM private key that signs and verifies service-account tokens (`sa.key`). */
  serviceAccountKey?: string;
  /** Default `https://kubernetes.default.svc.cluster.local`. */
  issuer?: string;
  /** Whether callers without credentials are `system:anonymous`; default true. */
  anonymous?: boolean;
}

const authenticated = 'system:authenticated';

/** The groups in a certificate's subject. */
const groupsOf = (o: unknown): string[] => (typeof o === 'string' ? [o] : Array.isArray(o) ? o.map(String) : []);

function fromCertificate(request: IncomingMessage): User | undefined {
  const socket = request.socket as TLSSocket;
  if (socket.authorized !== true || typeof socket.getPeerCertificate !== 'function') return undefined;
  const { subject } = socket.getPeerCertificate();
  const cn = subject?.CN as string | string[] | undefined;
  const name = Array.isArray(cn) ? cn[0] : cn;
  if (!name) return undefined;
  return { name, groups: [...groupsOf(subject.O), authenticated] };
}

/** A bootstrap token `<id>.<secret>`: a Secret of kube-system. */
function fromBootstrapToken(core: Core, token: string): User | undefined {
  const m = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token);
  if (!m) return undefined;
  const secret = core.store.get('secrets', 'kube-system', `bootstrap-token-${m[1]}`);
  if (secret?.type !== 'bootstrap.kubernetes.io/token' || secret.metadata.deletionTimestamp) return undefined;
  const value = (key: string): string => Buffer.from(text(record(secret.data)[key]), 'base64').toString();
  if (value('token-secret') !== m[2] || value('usage-bootstrap-authentication') !== 'true') return undefined;
  const expiry = value('expiration');
  if (expiry !== '' && Date.parse(expiry) <= core.clock.now()) return undefined;
  const extra = value('auth-extra-groups')
    .split(',')
    .filter((g) => /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(g));
  return { name: `system:bootstrap:${m[1]}`, groups: ['system:bootstrappers', ...extra, authenticated] };
}

function fromServiceAccount(core: Core, signer: TokenSigner | undefined, token: string): User | undefined {
  const claims = signer?.verify(token);
  if (!claims || typeof claims.exp !== 'number' || claims.exp * 1000 <= core.clock.now()) return undefined;
  const k8s = record(claims['kubernetes.io']);
  const namespace = text(k8s.namespace);
  const account = record(k8s.serviceaccount);
  const found = core.store.get('serviceaccounts', namespace, text(account.name));
  // A token dies with its account, and with the pod it is bound to.
  if (!found || found.metadata.uid !== account.uid) return undefined;
  const pod = record(k8s.pod);
  if (pod.name && core.store.get('pods', namespace, text(pod.name))?.metadata.uid !== pod.uid) return undefined;
  return {
    name: `system:serviceaccount:${namespace}:${text(account.name)}`,
    uid: text(account.uid),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, authenticated],
    ...(pod.name
      ? {
          extra: {
            'authentication.kubernetes.io/pod-name': [text(pod.name)],
            'authentication.kubernetes.io/pod-uid': [text(pod.uid)],
          },
        }
      : {}),
  };
}

/** Finds out who asks. */
export class Authenticator {
  private readonly core: Core;
  private readonly options: AuthenticationOptions;
  private readonly signer: TokenSigner | undefined;
  private readonly tokens: Map<string, User>;

  constructor(core: Core, options: AuthenticationOptions, signer: TokenSigner | undefined) {
    this.core = core;
    this.options = options;
    this.signer = signer;
    this.tokens = new Map(
      (options.staticTokens ?? []).map((t) => [
        t.token,
        { name: t.user, ...(t.uid ? { uid: t.uid } : {}), groups: [...(t.groups ?? []), authenticated] },
      ]),
    );
  }

  /** @throws {StatusError} 401 when the credentials are wrong, or there are none and anonymous callers are refused */
  authenticate(request: IncomingMessage): User {
    const certified = fromCertificate(request);
    if (certified) return certified;
    const header = request.headers.authorization;
    if (header) {
      const token = /^Bearer\s+(\S+)$/i.exec(header)?.[1];
      const user = token === undefined ? undefined : this.review(token);
      if (!user) throw unauthorized();
      return user;
    }
    if (this.options.anonymous === false) throw unauthorized();
    return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
  }

  /** Whose token this is, or undefined. */
  review(token: string): User | undefined {
    return (
      this.tokens.get(token) ??
      fromBootstrapToken(this.core, token) ??
      fromServiceAccount(this.core, this.signer, token)
    );
  }
}

/** The user that `Impersonate-*` headers ask for, or undefined. */
export function impersonated(request: IncomingMessage): User | undefined {
  const name = request.headers['impersonate-user'];
  if (typeof name !== 'string' || name === '') return undefined;
  const raw = request.rawHeaders;
  const groups = raw.flatMap((h, i) =>
    i % 2 === 0 && h.toLowerCase() === 'impersonate-group' ? [raw[i + 1] as string] : [],
  );
  const account = /^system:serviceaccount:([^:]+):/.exec(name);
  if (account && groups.length === 0) groups.push('system:serviceaccounts', `system:serviceaccounts:${account[1]}`);
  if (name === 'system:anonymous') groups.push('system:unauthenticated');
  else if (!groups.includes(authenticated)) groups.push(authenticated);
  return { name, groups };
}

/** Paths of a user in a review's status. */
export const userInfo = (user: User): Record<string, unknown> => ({
  username: user.name,
  ...(user.uid ? { uid: user.uid } : {}),
  groups: user.groups,
  ...(user.extra ? { extra: user.extra } : {}),
});

/** Strings of a JSON list at a path. */
export const stringsAt = (value: unknown, ...path: string[]): string[] => list(at(value, ...path)).map(text);
