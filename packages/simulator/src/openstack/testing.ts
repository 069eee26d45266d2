import { checkOpenStackConfig } from '../config.ts';
import type { Hypervisor } from '../core/hypervisor.ts';
import { createOpenStackSimulator, type OpenStackSimulator } from './simulator.ts';

/** What came back: status, headers, parsed JSON (or undefined). */
export interface Reply {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  text: string;
}

/** A running simulator and a user's way into it. */
export interface Lab {
  simulator: OpenStackSimulator;
  url: string;
  /** Calls as the ordinary user `shoto`, in project shoto. */
  user: Caller;
  admin: Caller;
  /** The project `shoto`. */
  projectId: string;
}

export type Caller = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Reply>;

/** Sends one request. */
export async function send(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(url + path, {
    method,
    headers: {
      Accept: 'application/json',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'manual',
  });
  const text = await response.text();
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, body: json, text };
}

/** Asks Keystone for a token by password; throws if it refuses. */
export async function login(url: string, name: string, project = name): Promise<string> {
  const reply = await send(url, 'POST', '/identity/v3/auth/tokens', {
    auth: {
      identity: { methods: ['password'], password: { user: { name, domain: { id: 'default' }, password: name } } },
      scope: { project: { name: project, domain: { id: 'default' } } },
    },
  });
  const token = reply.headers.get('x-subject-token');
  if (!token) throw new Error(`no token for ${name}: ${reply.text}`);
  return token;
}

/** Starts a simulator on a free port. */
export async function startLab(config: unknown = {}, hypervisor?: Hypervisor): Promise<Lab> {
  const simulator = createOpenStackSimulator({
    config: checkOpenStackConfig(config),
    ...(hypervisor ? { hypervisor } : {}),
  });
  const { url } = await simulator.listen();
  const caller = async (name: string): Promise<Caller> => {
    const token = await login(url, name);
    return (method, path, body, headers) => send(url, method, path, body, { 'X-Auth-Token': token, ...headers });
  };
  const projectId = [...simulator.state.identity.projects.by('name', 'shoto')][0]!.id;
  return { simulator, url, user: await caller('shoto'), admin: await caller('admin'), projectId };
}

/** Looks until `probe` gives something, at most five seconds. */
export async function until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 5000;
  while (Date.now() < end) {
    const found = await probe();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`gave up waiting for ${what}`);
}

/** The object under a key of a reply. */
export function at(reply: Reply, key: string): Record<string, unknown> {
  const value = reply.body[key];
  if (typeof value !== 'object' || value === null) throw new Error(`no ${key} in ${reply.status} ${reply.text}`);
  return value as Record<string, unknown>;
}

/** The names in a list of a reply. */
export function names(reply: Reply, key: string): unknown[] {
  return (reply.body[key] as { name: unknown }[]).map((x) => x.name);
}

/** A network with a subnet, and its ids. */
export async function aNetwork(user: Caller, cidr = '10.0.0.0/24'): Promise<{ network: string; subnet: string }> {
  const network = String(at(await user('POST', '/network/v2.0/networks', { network: { name: 'net' } }), 'network').id);
  const subnet = String(
    at(await user('POST', '/network/v2.0/subnets', { subnet: { network_id: network, cidr, ip_version: 4 } }), 'subnet')
      .id,
  );
  return { network, subnet };
}

/** What a server needs at least, with the image debian-12. */
export async function serverBody(user: Caller, more: Record<string, unknown>): Promise<Record<string, unknown>> {
  const image = (await user('GET', '/image/v2/images?name=debian-12')).body.images as { id: string }[];
  return { name: 'web', flavorRef: '2', imageRef: image[0]!.id, networks: 'none', ...more };
}

/** Newest microversion. */
export const newest = { 'OpenStack-API-Version': 'compute 2.93' };
