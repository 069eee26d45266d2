import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensure, expectCredentialInUse } from '../../testing/addon-credentials.ts';
import { type AddonScene, isDeath, startAddonScene } from '../../testing/addon-scene.ts';
import { ROTATE_MS } from '../addon-credentials/needs.ts';
import type { ClusterPass } from '../pass.ts';
import { revokeAddonCredentials } from './ensure-addon-credentials.ts';

let scene: AddonScene;
beforeEach(async () => {
  scene = await startAddonScene();
});
afterEach(() => scene.close());

const current = () => scene.stored().addonCredentials?.current;
const expectInUse = () => expectCredentialInUse(scene);

describe('a process that dies', () => {
  /** Dies at each call to the outside in turn; after each death another process begins from what was stored. */
  async function dieEverywhere(
    work: (p: ClusterPass) => Promise<unknown>,
    o: { before: () => Promise<void>; after: () => Promise<void> },
  ) {
    let deaths = 0;
    for (let dieAt = 1; ; dieAt++) {
      await o.before();
      const died = await scene.pass(work, { dieAt }).then(
        () => false,
        (e: unknown) => isDeath(e) || Promise.reject(e),
      );
      if (died) await scene.pass(work);
      await o.after();
      if (!died) return deaths;
      deaths++;
    }
  }
  const begin = async () => {
    await scene.pass(revokeAddonCredentials);
    const { addonCredentials: _, ...rest } = scene.stored();
    await scene.pass(async (p) => {
      p.infra = { ...rest };
    });
  };

  it('leaves one credential, which is in use, wherever it dies while it makes the first', async () => {
    const deaths = await dieEverywhere(ensure, {
      before: begin,
      after: async () => {
        await expectInUse();
        expect((await scene.credentials()).map((c) => c.id)).toEqual([current()?.id]);
      },
    });
    expect(deaths).toBeGreaterThan(8);
  });
  it('leaves the new one in use and the old one for a day, wherever it dies while it renews', async () => {
    let first = '';
    const deaths = await dieEverywhere(ensure, {
      before: async () => {
        await begin();
        await scene.pass(ensure);
        first = current()!.id;
        scene.later(ROTATE_MS);
      },
      after: async () => {
        await expectInUse();
        expect((await scene.credentials()).map((c) => c.id).sort()).toEqual([first, current()!.id].sort());
        expect(scene.stored().addonCredentials?.retiring).toMatchObject([{ id: first }]);
      },
    });
    expect(deaths).toBeGreaterThan(8);
  });
  it('leaves nothing, wherever it dies while it revokes', async () => {
    const deaths = await dieEverywhere(revokeAddonCredentials, {
      before: async () => {
        await begin();
        await scene.pass(ensure);
        scene.later(ROTATE_MS);
        await scene.pass(ensure);
      },
      after: async () => {
        expect(await scene.credentials()).toEqual([]);
        expect(await scene.secret()).toBeUndefined();
      },
    });
    expect(deaths).toBeGreaterThan(6);
  });
  it('leaves nothing when the cluster goes before it was ever stored that there is one', async () => {
    await expect(scene.pass(ensure, { dieAt: 7 })).rejects.toSatisfy(isDeath);
    while ((await scene.credentials()).length === 0) await scene.pass(ensure);
    await scene.pass(revokeAddonCredentials, { infra: { revision: 1 } });
    expect(await scene.credentials()).toEqual([]);
  });
});
