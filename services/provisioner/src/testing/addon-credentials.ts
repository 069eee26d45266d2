import { expect } from 'vitest';
import type { ClusterPass } from '../cluster/pass.ts';
import { ensureAddonCredentials } from '../cluster/phases/ensure-addon-credentials.ts';
import { stated } from '../conditions.ts';
import type { AddonScene } from './addon-scene.ts';

/** The phase, and its condition in what is stored. */
export const ensure = async (pass: ClusterPass): Promise<void> => {
  const condition = await ensureAddonCredentials(pass);
  if (condition) pass.infra.conditions = stated(pass.infra.conditions, [condition], pass.d.clock.now());
};

/** What must hold whenever a pass has ended well: one credential that is in use, and it is the one in the Secret. */
export async function expectCredentialInUse(scene: AddonScene): Promise<void> {
  const current = scene.stored().addonCredentials?.current;
  const secret = await scene.secret();
  expect(secret?.applicationCredentialId).toBe(current?.id);
  const addon = await scene.addon();
  expect((await addon.identity.token()).application_credential?.id).toBe(current?.id);
  await expect(addon.network.networks.get(secret!.networkId)).resolves.toMatchObject({ name: 'web' });
}
