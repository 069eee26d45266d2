import { randomBytes } from 'node:crypto';
import { createRegistry, type Registry, RegistryFaults } from '@shoto/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatorClock } from '../../simulator/src/core/clock.ts';
import { Random } from '../../simulator/src/core/random.ts';
import {
  bundleOf,
  inspectBundle,
  packBundle,
  pullBundle,
  pushBundle,
  RegistryClient,
  type RegistryOptions,
} from '../src/index.ts';

const MIB = 1024 * 1024;
const packed = packBundle(
  bundleOf([
    [
      'bundle.yaml',
      'apiVersion: bundle.shoto.dev/v1alpha1\nkind: Bundle\nname: agent\nversion: 1.0.0\nkubernetes: ">=1.35"\ncontent: { manifests: m }\n',
    ],
    ['data.bin', randomBytes(4 * MIB)],
  ]),
);
const LAYER = packed.layer.length;

let faults: RegistryFaults;
let registry: Registry;
let client: RegistryClient;
let waits: number[];
let url: string;
const connect = (o: Partial<RegistryOptions> = {}) =>
  new RegistryClient({
    url: url.replace('http://', 'oci://'),
    plainHttp: true,
    chunkBytes: MIB,
    sleep: async (ms) => void waits.push(ms),
    ...o,
  });
beforeEach(async () => {
  waits = [];
  faults = new RegistryFaults(new SimulatorClock(), new Random(1));
  registry = await createRegistry({ faults });
  url = (await registry.listen('127.0.0.1', 0)).url;
  client = connect();
});
afterEach(async () => {
  await client.close();
  await registry.close();
});

describe('an upload', () => {
  it('that is cut in the middle of a piece goes on where the registry has it', async () => {
    faults.add({
      match: { operation: 'upload.patch' },
      after: 2,
      count: 1,
      action: { type: 'cut', afterBytes: MIB / 2 },
    });
    const { sent } = await pushBundle(client, packed);
    // Half of the third piece was there already: only what was missing went again.
    expect(sent).toBe(LAYER - MIB / 2 + packed.config.length + packed.manifest.length);
    expect((await pullBundle(client, 'agent', '1.0.0')).digest).toBe(packed.digest);
  });
  it.each(['upload.patch', 'upload.put', 'manifest.put', 'upload.start'] as const)(
    'whose answer to %s is lost is not done twice, and ends well',
    async (operation) => {
      faults.add({ match: { operation }, count: 1, action: { type: 'lostAnswer' } });
      await pushBundle(client, packed);
      expect((await pullBundle(client, 'agent', '1.0.0')).digest).toBe(packed.digest);
    },
  );
  it('waits as long as the registry asks for, and a little longer after each failure', async () => {
    faults.add({
      match: { operation: 'upload.patch' },
      count: 1,
      action: { type: 'status', status: 429, retryAfter: 3 },
    });
    faults.add({ match: { operation: 'manifest.put' }, count: 2, action: { type: 'status', status: 503 } });
    await pushBundle(client, packed);
    expect(waits).toEqual([3000, 200, 400]);
  });
  it('is given up for now where the registry asks for minutes, and says how long', async () => {
    faults.add({ match: { operation: 'upload.start' }, action: { type: 'status', status: 429, retryAfter: 120 } });
    await expect(pushBundle(client, packed)).rejects.toMatchObject({
      reason: 'TooManyRequests',
      kind: 'retryable',
      retryAfterMs: 120_000,
      outage: false,
    });
  });
  it('goes on from nothing where the registry was restarted and has lost it', async () => {
    faults.add({ match: { operation: 'upload.patch' }, after: 1, count: 1, action: { type: 'status', status: 404 } });
    await pushBundle(client, packed);
    expect((await pullBundle(client, 'agent', '1.0.0')).digest).toBe(packed.digest);
  });
  it('leaves no version behind while the registry does not take it', async () => {
    const { id } = faults.add({ match: { operation: 'manifest.put' }, action: { type: 'status', status: 500 } });
    await expect(pushBundle(client, packed)).rejects.toMatchObject({
      reason: 'RegistryFailed',
      kind: 'retryable',
      outage: true,
    });
    faults.remove(id);
    expect(await client.resolve('agent', '1.0.0')).toBeUndefined();
    expect((await pushBundle(client, packed)).sent).toBe(packed.manifest.length);
  });
});

describe('a download', () => {
  beforeEach(() => pushBundle(client, packed).then(() => undefined));
  it('that breaks off goes on where it was, as often as it takes', async () => {
    faults.add({ match: { operation: 'blob.get' }, after: 1, count: 7, action: { type: 'cut', afterBytes: MIB / 2 } });
    expect((await pullBundle(client, 'agent', '1.0.0')).digest).toBe(packed.digest);
  });
  it('that is damaged on the way is fetched again', async () => {
    faults.add({ match: { operation: 'blob.get' }, after: 1, count: 1, action: { type: 'corrupt' } });
    expect((await pullBundle(client, 'agent', '1.0.0')).digest).toBe(packed.digest);
  });
  it('that is damaged twice is refused', async () => {
    faults.add({ match: { operation: 'blob.get' }, action: { type: 'corrupt' } });
    await expect(inspectBundle(client, 'agent', '1.0.0')).rejects.toMatchObject({
      reason: 'DigestMismatch',
      kind: 'terminal',
    });
  });
  it('of a manifest that is not what it was asked for by is refused', async () => {
    faults.add({ match: { operation: 'manifest.get' }, action: { type: 'corrupt' } });
    await expect(pullBundle(client, 'agent', packed.digest)).rejects.toMatchObject({ reason: 'DigestMismatch' });
  });
});

describe('a registry', () => {
  it('that does not answer costs its time-out, and is said to be out', async () => {
    faults.add({ match: {}, action: { type: 'hang' } });
    const impatient = connect({ timeoutMs: 200, attempts: 2 });
    await expect(impatient.tags('agent')).rejects.toMatchObject({
      reason: 'TimedOut',
      kind: 'retryable',
      outage: true,
    });
    await impatient.close();
  });
  it('that is down is said to be down', async () => {
    await registry.close();
    await expect(client.tags('agent')).rejects.toMatchObject({
      reason: 'RegistryUnreachable',
      kind: 'retryable',
      outage: true,
    });
    expect(waits).toEqual([200, 400, 800]);
  });
  it('is left at once when who calls gives up', async () => {
    faults.add({ match: {}, action: { type: 'hang' } });
    const stop = new AbortController();
    const c = connect({ signal: stop.signal });
    const asked = c.tags('agent');
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await c.close();
  });
});
