import { ADDON_CREDENTIALS, addonCredentialsRef, LABELS } from '@shoto/api';
import { type HasMeta, SECRETS } from '@shoto/kube';
import { keystoneRoot } from 'openstack-client-ts';
import type { ClusterPass } from '../pass.ts';
import { canonical } from '../store.ts';

interface Secret extends HasMeta {
  type?: string;
  /** Base64, by key. */
  data?: Record<string, string>;
}

/** What a credential adds to what is known of the cluster anyway. */
export interface Held {
  id: string;
  secret: string;
  projectId: string;
  /** RFC 3339. */
  createdAt: string;
  expiresAt: string;
}

/** The Secret as it is stored, opened. */
export interface StoredSecret {
  object: Secret;
  held: Held;
}

const refOf = ({ d, ref }: ClusterPass) => addonCredentialsRef(d.systemNamespace, ref.uid);

/** Reads the Secret of a cluster's addons; undefined where there is none. */
export async function readSecret(pass: ClusterPass): Promise<StoredSecret | undefined> {
  const object = await pass.d.kube.get<Secret>(SECRETS, refOf(pass), { signal: pass.signal });
  if (!object) return undefined;
  const text = (key: keyof typeof ADDON_CREDENTIALS): string =>
    Buffer.from(object.data?.[ADDON_CREDENTIALS[key]] ?? '', 'base64').toString('utf8');
  return {
    object,
    held: {
      id: text('applicationCredentialId'),
      secret: text('applicationCredentialSecret'),
      projectId: text('projectId'),
      createdAt: text('createdAt'),
      expiresAt: text('expiresAt'),
    },
  };
}

/** Writes the Secret, where it is not just so. What another process wrote meanwhile makes it fail, and the pass begins anew. */
export async function writeSecret(pass: ClusterPass, held: Held, stored: StoredSecret | undefined): Promise<void> {
  const { d, cluster, ref, signal } = pass;
  const data = await contentOf(pass, held);
  const object = stored?.object;
  if (object && canonical(object.data) === canonical(data)) return;
  if (object) {
    const ops = [
      { op: 'test', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion } as const,
      { op: 'add', path: '/data', value: data } as const,
    ];
    await d.kube.jsonPatch<Secret>(SECRETS, refOf(pass), ops, { signal });
    return;
  }
  await d.kube.create<Secret>(
    SECRETS,
    {
      metadata: {
        ...refOf(pass),
        labels: { [LABELS.cluster]: cluster.metadata.name, [LABELS.clusterUid]: ref.uid },
      },
      type: 'Opaque',
      data,
    },
    { signal },
  );
}

/** Removes the Secret, if it is there. */
export async function deleteSecret(pass: ClusterPass): Promise<void> {
  await pass.d.kube.delete(SECRETS, refOf(pass), { signal: pass.signal });
}

async function contentOf({ region, infra }: ClusterPass, held: Held): Promise<Record<string, string>> {
  const { config } = region.cloud.client;
  const content: Record<keyof typeof ADDON_CREDENTIALS, string> = {
    authUrl: keystoneRoot(config.authUrl),
    region: config.region ?? '',
    applicationCredentialId: held.id,
    applicationCredentialSecret: held.secret,
    caBundle: config.ca ?? '',
    projectId: held.projectId,
    networkId: infra.networkId ?? '',
    subnetId: infra.subnetId ?? '',
    externalNetworkId: await region.references.externalNetwork(region.region.spec.externalNetwork),
    createdAt: held.createdAt,
    expiresAt: held.expiresAt,
  };
  return Object.fromEntries(
    Object.entries(ADDON_CREDENTIALS).map(([fact, key]) => [
      key,
      Buffer.from(content[fact as keyof typeof content]).toString('base64'),
    ]),
  );
}
