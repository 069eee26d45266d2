import { resourceOf, type Tenant, TenantKind } from '@shoto/api';
import { until } from '../poll.ts';
import type { World } from '../world.ts';

const TENANTS = resourceOf(TenantKind);

/** Gives the tenant a quota, so that all that a variant does has to be reserved first. */
export async function setQuota({ management, system }: World, machines: number): Promise<void> {
  await management.mergePatch(TENANTS, { name: system.tenant }, { spec: { quota: { machines } } });
}

/** What clusters hold of the tenant's quota, in machines. */
export async function reserved({ management, system }: World): Promise<number> {
  return (await management.get<Tenant>(TENANTS, { name: system.tenant }))?.status?.reserved?.machines ?? 0;
}

/** Waits until all is given back. @throws {Error} where something is held after a minute */
export async function givenBack(world: World): Promise<void> {
  await until('nothing is held of the quota', async () => ((await reserved(world)) === 0 ? true : undefined), 60_000);
}
