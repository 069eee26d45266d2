import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { groupOf, type Manifest, nameOf } from '@shoto/bundle';
import { type HasMeta, KubeClient, KubeError, type KubeObject, NAMESPACES, type ResourceType } from '@shoto/kube';

/** Who writes addons' fields in clusters. */
const FIELD_MANAGER = 'shoto-addon-manager';

interface ResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

/** Kinds of an API server, as it tells them. */
export class Kinds {
  readonly #client: KubeClient;
  #lists = new Map<string, Promise<ResourceList | undefined>>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** How a kind is reached; undefined where it is not served. */
  async of(o: { apiVersion: string; kind: string }): Promise<ResourceType | undefined> {
    let list = this.#lists.get(o.apiVersion);
    if (!list) {
      list = this.#list(o.apiVersion);
      this.#lists.set(o.apiVersion, list);
    }
    const found = (await list)?.resources.find((r) => r.kind === o.kind && !r.name.includes('/'));
    const version = o.apiVersion.slice(o.apiVersion.indexOf('/') + 1);
    return (
      found && { group: groupOf(o.apiVersion), version, plural: found.name, kind: o.kind, namespaced: found.namespaced }
    );
  }

  /** Asks again from now on: a CRD was written. */
  forget(): void {
    this.#lists.clear();
  }

  async #list(apiVersion: string): Promise<ResourceList | undefined> {
    try {
      const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      return JSON.parse((await this.#client.raw('GET', path)).body) as ResourceList;
    } catch (e) {
      if (e instanceof KubeError && e.isNotFound) return undefined;
      throw e;
    }
  }
}

/** What an API server said to an object. */
export interface Verdict {
  object: string;
  /** `taken`, `refused`, or `unserved` where the kind is not there. */
  result: 'taken' | 'refused' | 'unserved';
  message: string;
  /** What it would be on the cluster. */
  applied?: KubeObject;
}

/** Applies one object as addon-manager does, or asks what would come of it. @throws {KubeError} when the server cannot be reached */
export async function apply(client: KubeClient, kinds: Kinds, o: Manifest, dryRun: boolean): Promise<Verdict> {
  const type = await kinds.of(o);
  const object = nameOf(o);
  if (!type) return { object, result: 'unserved', message: `${o.apiVersion} ${o.kind} is not served` };
  try {
    const applied = await client.apply<HasMeta & KubeObject>(type, o, {
      fieldManager: FIELD_MANAGER,
      force: true,
      dryRun,
    });
    return { object, result: 'taken', message: '', applied };
  } catch (e) {
    if (!(e instanceof KubeError) || e.status === 0 || e.status >= 500 || [401, 403].includes(e.status)) throw e;
    return { object, result: 'refused', message: e.message };
  }
}

/** The namespaces of an API server. */
export async function namespacesOf(client: KubeClient): Promise<Set<string>> {
  return new Set((await client.listAll(NAMESPACES)).map((n) => n.metadata.name));
}

/** A simulated API server of a version, empty, for as long as `work` takes. */
export async function onSimulated<T>(version: string, work: (client: KubeClient) => Promise<T>): Promise<T> {
  // Loaded only where it is used: it is large.
  const { createApiServer } = await import('@shoto/simulator');
  const token = 'author';
  const api = createApiServer({
    version,
    authn: { staticTokens: [{ token, user: 'author', groups: ['system:masters'] }] },
    controllers: false,
  });
  const server = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new KubeClient({
    connection: { server: `http://127.0.0.1:${port}`, token },
    userAgent: 'shoto',
    requestTimeoutMs: 30_000,
  });
  try {
    for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
      await client.apply(NAMESPACES, { metadata: { name } }, { fieldManager: 'shoto' });
    return await work(client);
  } finally {
    await client.close();
    api.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Applies objects to a throw-away API server, for good: CRDs are there for their objects. Goes on behind what is refused. */
export async function applyAll(client: KubeClient, objects: readonly Manifest[]): Promise<Verdict[]> {
  const kinds = new Kinds(client);
  const verdicts: Verdict[] = [];
  for (const o of objects) {
    verdicts.push(await apply(client, kinds, o, false));
    if (o.kind === 'CustomResourceDefinition') kinds.forget();
  }
  return verdicts;
}
