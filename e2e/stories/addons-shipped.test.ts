import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WALK } from '../../packages/bundle/test/shipped.ts';
import { Applier } from '../addons/apply.ts';
import { fitting, renderShipped } from '../addons/shipped.ts';
import { type ApiServer, createApiServer } from '../model/simulators.ts';

let api: ApiServer;
let server: Server;
let applier: Applier;
beforeEach(async () => {
  api = createApiServer({ authn: { staticTokens: [{ token: 'admin', user: 'admin', groups: ['system:masters'] }] } });
  server = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  applier = new Applier({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'admin' });
});
afterEach(async () => {
  await applier.close();
  api.close();
  await new Promise((resolve) => server.close(resolve));
});

it.each(WALK)(
  'every bundle that ships for %s is taken by an API server, one version over the other',
  async (version) => {
    const bundles = await fitting(version);
    expect(new Set(bundles.map((b) => b.manifest.name)).size).toBeGreaterThanOrEqual(13);
    for (const bundle of bundles) {
      const { objects } = await renderShipped(bundle, version);
      expect(await applier.apply(objects), `${bundle.manifest.name} ${bundle.manifest.version}`).toEqual([]);
      // Applied again, nothing changes and nothing is refused: fields that are immutable stay as they are.
      expect(await applier.apply(objects), `${bundle.manifest.name} ${bundle.manifest.version} again`).toEqual([]);
    }
  },
  180_000,
);
