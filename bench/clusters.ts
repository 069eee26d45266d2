import type { System } from '@shoto/supervisor';

/** Clusters as a team makes them: through the REST API. */
export class Team {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  /** Asks for a cluster of one control plane and so many workers. @throws {Error} with the problem where it is refused */
  async create(name: string, workers: number): Promise<void> {
    const body = {
      metadata: { name },
      spec: { controlPlane: { count: 1 }, nodePools: [{ name: 'default', count: workers }] },
    };
    await this.#call('POST', '/clusters', body);
  }

  /** Changes a cluster's spec by a merge patch. */
  async change(name: string, spec: object): Promise<void> {
    await this.#call('PATCH', `/clusters/${name}`, { spec });
  }

  async delete(name: string): Promise<void> {
    await this.#call('DELETE', `/clusters/${name}`);
  }

  /** Names of the clusters that exist. */
  async list(): Promise<string[]> {
    const answer = await this.#call('GET', '/clusters');
    return ((await answer.json()) as { items: { metadata: { name: string } }[] }).items.map((c) => c.metadata.name);
  }

  /**
   * Follows a cluster's stream of progress until it is ready, or gone. A stream that breaks is opened again.
   *
   * @param told - called with the line to read, at each change
   */
  async follow(
    name: string,
    goal: 'ready' | 'gone',
    signal: AbortSignal,
    told: (message: string) => void,
  ): Promise<void> {
    for (;;) {
      const answer = await this.#call(
        'GET',
        `/clusters/${name}/progress`,
        undefined,
        signal,
        goal === 'gone' ? [404] : [],
      );
      if (answer.status === 404) return;
      let tail = '';
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        const messages = (tail + chunk).split('\n\n');
        tail = messages.pop() ?? '';
        for (const message of messages) {
          if (message.startsWith('event: gone')) {
            if (goal === 'gone') return;
            throw new Error(`cluster ${name} is gone while it should become ready`);
          }
          const data = /^data: (.*)$/m.exec(message)?.[1];
          if (!data) continue;
          const progress = JSON.parse(data) as { ready: boolean; message: string };
          told(progress.message);
          if (goal === 'ready' && progress.ready) return;
        }
      }
    }
  }

  async #call(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    expected: number[] = [],
  ): Promise<Response> {
    const url = `${this.#system.apiUrl}/v1/tenants/${this.#system.tenant}${path}`;
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${this.#system.tokens.demo}`,
        ...(path.endsWith('/progress') ? { accept: 'text/event-stream' } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(signal ? { signal } : {}),
    });
    if (!answer.ok && !expected.includes(answer.status))
      throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer;
  }
}
