import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatorClock } from '../../core/clock.ts';
import { type ApiServer, createApiServer, StatusError } from '../../kubernetes/index.ts';
import { Engine } from './engine.ts';

let server: ApiServer;
let clock: SimulatorClock;
let engine: Engine;
const said: string[] = [];
const turn = () => new Promise((resolve) => setImmediate(resolve));
const touch = (value: string) =>
  server
    .resource({ group: '', version: 'v1', plural: 'namespaces' })
    .patch({ name: 'default' }, { metadata: { labels: { value } } });

beforeEach(() => {
  server = createApiServer({ controllers: false });
  clock = new SimulatorClock({ mode: 'manual' });
  engine = new Engine(server, clock, (what) => said.push(what));
  said.length = 0;
});
afterEach(() => {
  engine.close();
  server.close();
  clock.close();
});

/** A controller of namespaces that notes what it is asked, and fails as often as it is told. */
const recorder = (failures: Error[] = []) => {
  const seen: string[] = [];
  engine.add({
    name: 'recorder',
    sees: { namespaces: ({ object }) => [object.metadata.name] },
    reconcile(key) {
      seen.push(key);
      const failure = failures.shift();
      if (failure) throw failure;
    },
  });
  return seen;
};

describe('the engine of a cluster', () => {
  it('looks once at a key that changed many times', async () => {
    const seen = recorder();
    for (const n of ['1', '2', '3']) touch(n);
    await turn();
    expect(seen).toEqual(['default']);
  });

  it('does nothing while the API is away, and all of it when it is back', async () => {
    const seen = recorder();
    engine.suspend();
    touch('1');
    await turn();
    expect(seen).toEqual([]);
    engine.resume();
    await turn();
    expect(seen).toEqual(['default']);
  });

  it('tries again what the API refused, later and later', async () => {
    const refusal = new StatusError(409, 'Conflict', 'changed meanwhile');
    const seen = recorder([refusal, refusal]);
    touch('1');
    await turn();
    await clock.advance(1000);
    await turn();
    expect(seen).toHaveLength(2);
    await clock.advance(1999);
    await turn();
    expect(seen).toHaveLength(2);
    await clock.advance(1);
    await turn();
    expect(seen).toHaveLength(3);
    expect(said).toEqual([]);
  });

  it('survives a mistake of a controller, and says so', async () => {
    const seen = recorder([new TypeError('undefined is not a function')]);
    touch('1');
    await turn();
    expect(said).toEqual([expect.stringContaining('controller recorder default: TypeError')]);
    await clock.advance(1000);
    await turn();
    expect(seen).toHaveLength(2);
  });
});
