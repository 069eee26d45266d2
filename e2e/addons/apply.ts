import type { Manifest } from '@shoto/bundle';
import { Agent, request } from 'undici';
import { until } from '../poll.ts';

/** An API server as an administrator reaches it. */
export interface Door {
  url: string;
  token: string;
  /** PEM; absent where it speaks plain HTTP. */
  ca?: string;
}

interface Resource {
  name: string;
  kind: string;
  namespaced: boolean;
}

/** What an API server said to an object: an error, or a warning such as that of an API on its way out. */
export interface Said {
  object: string;
  status: number;
  text: string;
}

/** Applies objects server-side as addon-manager does, and remembers everything but a plain yes. */
export class Applier {
  readonly #door: Door;
  readonly #agent: Agent;
  readonly #kinds = new Map<string, Resource[]>();

  constructor(door: Door) {
    this.#door = door;
    this.#agent = new Agent(door.ca === undefined ? {} : { connect: { ca: door.ca } });
  }

  /** @returns what was said besides yes; empty where all is well */
  async apply(objects: readonly Manifest[]): Promise<Said[]> {
    const said: Said[] = [];
    for (const o of objects) {
      const object = `${o.kind} ${o.metadata.namespace ?? ''}/${o.metadata.name}`;
      const path = await this.#pathOf(o);
      if (path === undefined) {
        said.push({ object, status: 404, text: `${o.apiVersion} ${o.kind} is not served` });
        continue;
      }
      const query = '?fieldManager=shoto-addon-manager&force=true&fieldValidation=Strict';
      const { status, body, warnings } = await this.#call('PATCH', `${path}${query}`, JSON.stringify(o));
      if (status >= 300) said.push({ object, status, text: (JSON.parse(body) as { message: string }).message });
      for (const text of warnings) said.push({ object, status, text });
      if (o.kind === 'CustomResourceDefinition') await this.#established(path);
    }
    return said;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #pathOf(o: Manifest): Promise<string | undefined> {
    const root = o.apiVersion.includes('/') ? `/apis/${o.apiVersion}` : `/api/${o.apiVersion}`;
    let resource = this.#kinds.get(root)?.find((r) => r.kind === o.kind);
    if (!resource) {
      const { status, body } = await this.#call('GET', root);
      // 404 is a group that a CRD brings later.
      if (status !== 200 && status !== 404) throw new Error(`GET ${root}: ${status} ${body}`);
      const list = status === 200 ? (JSON.parse(body) as { resources: Resource[] }).resources : [];
      this.#kinds.set(
        root,
        list.filter((r) => !r.name.includes('/')),
      );
      resource = this.#kinds.get(root)?.find((r) => r.kind === o.kind);
    }
    if (!resource) return undefined;
    const namespace = resource.namespaced ? `/namespaces/${o.metadata.namespace}` : '';
    return `${root}${namespace}/${resource.name}/${encodeURIComponent(o.metadata.name)}`;
  }

  async #established(path: string): Promise<void> {
    await until(
      `${path} is established`,
      async () => {
        const { body } = await this.#call('GET', path);
        const { status } = JSON.parse(body) as { status?: { conditions?: { type: string; status: string }[] } };
        return status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True');
      },
      30_000,
      50,
    );
  }

  async #call(
    method: 'GET' | 'PATCH',
    path: string,
    body?: string,
  ): Promise<{ status: number; body: string; warnings: string[] }> {
    const answer = await request(`${this.#door.url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${this.#door.token}`,
        // Of what is sent only: a real API server refuses a GET with it.
        ...(body === undefined ? {} : { 'content-type': 'application/apply-patch+yaml' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const { warning } = answer.headers;
    return {
      status: answer.statusCode,
      body: await answer.body.text(),
      warnings: warning === undefined ? [] : [warning].flat(),
    };
  }
}
