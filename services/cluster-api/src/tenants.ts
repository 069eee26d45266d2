import { LABELS, type Tenant, tenantNamespace } from '@shoto/api';
import { type KubeClient, KubeError, NAMESPACES } from '@shoto/kube';

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
