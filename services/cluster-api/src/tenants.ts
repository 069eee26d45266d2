import { LABELS, type Tenant, tenantNamespace } from '@shoto/api';
import { type HasMeta, type KubeClient, KubeError, NAMESPACES, type ResourceType, ROLEBINDINGS } from '@shoto/kube';
import { requireTenant, type User } from './auth/access.ts';
import { ProblemError } from './problem.ts';
import { type Store, TYPES } from './store.ts';

/** Lets addon-manager read the Secrets of one tenant, which addons take values from (`valuesFrom`). */
const addonValues = (namespace: string): HasMeta & Record<string, unknown> => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: 'shoto:addon-values', namespace },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'shoto:addon-values' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'shoto:addon-manager' }],
});

/** Makes the namespace of a tenant, and what services of ours may do in it, where it is not there yet. Safe to repeat. */
export async function ensureNamespace(client: KubeClient, tenant: Tenant): Promise<void> {
  const name = tenantNamespace(tenant.metadata.name);
  await make(client, NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { [LABELS.tenant]: tenant.metadata.name } },
  } as HasMeta);
  await make(client, ROLEBINDINGS, addonValues(name));
}

async function make(client: KubeClient, type: ResourceType, object: HasMeta): Promise<void> {
  try {
    await client.create(type, object);
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
