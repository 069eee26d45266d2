import { LABELS, type Tenant, tenantNamespace } from '@shoto/api';
import { type KubeClient, KubeError, NAMESPACES } from '@shoto/kube';
import { requireTenant, type User } from './auth/access.ts';
import { ProblemError } from './problem.ts';
import { type Store, TYPES } from './store.ts';

/** Makes the namespace of a tenant, where it is not there yet. Safe to repeat. */
export async function ensureNamespace(client: KubeClient, tenant: Tenant): Promise<void> {
  const name = tenantNamespace(tenant.metadata.name);
  try {
    await client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { [LABELS.tenant]: tenant.metadata.name } },
    });
  } catch (e) {
    if (!(e instanceof KubeError && e.isAlreadyExists)) throw e;
  }
}

/**
 * The tenant that a request is about. One that was made a moment ago counts too.
 *
 * @throws {ProblemError} 403 where somebody may not work in it, 404 where there is none
 */
export async function tenantOf(d: { client: KubeClient; store: Store }, user: User, name: string): Promise<Tenant> {
  requireTenant(user, name);
  const tenant = d.store.tenant(name) ?? (await d.client.get<Tenant>(TYPES.tenants, { name }));
  if (tenant) return tenant;
  throw new ProblemError(
    404,
    'NotFound',
    `tenant ${name} does not exist${d.store.tenants().length > 0 ? '' : '; there is none yet'}: ask an administrator`,
  );
}
