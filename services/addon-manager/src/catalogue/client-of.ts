import type { AddonBundle, AddonRegistry } from '@shoto/api';
import { RegistryClient } from '@shoto/bundle';
import { type HasMeta, type KubeClient, SECRETS } from '@shoto/kube';
import { WaitingError } from '@shoto/reconciler';

const LOOK_AGAIN_MS = 30_000;

/** A client of the registry that a bundle is in, also where its AddonRegistry is gone: then over TLS and without credentials. */
export async function registryClientOf(
  kube: KubeClient,
  registry: AddonRegistry | undefined,
  bundle: AddonBundle,
): Promise<RegistryClient> {
  if (registry) return await clientOf(kube, registry, undefined);
  const { repository } = bundle.spec.oci!;
  return new RegistryClient({
    url: `oci://${repository.slice(0, repository.lastIndexOf('/'))}`,
    userAgent: 'shoto-addon-manager',
  });
}

/** A client of a registry, with its credentials where it names some. Whoever asked closes it. @throws {WaitingError} `CredentialsMissing` */
export async function clientOf(
  kube: KubeClient,
  registry: AddonRegistry,
  signal: AbortSignal | undefined,
): Promise<RegistryClient> {
  const { url, plainHttp, caBundle, credentialsSecretRef: ref } = registry.spec;
  const secret = ref && (await kube.get<HasMeta & { data?: Record<string, string> }>(SECRETS, ref));
  if (ref && !secret)
    throw new WaitingError(
      'CredentialsMissing',
      `Secret ${ref.namespace}/${ref.name} is not there: make it, with the keys username and password`,
      LOOK_AGAIN_MS,
    );
  const read = (key: string): string => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
  return new RegistryClient({
    url,
    plainHttp,
    ...(caBundle ? { caBundle } : {}),
    ...(secret ? { credentials: { username: read('username'), password: read('password') } } : {}),
    userAgent: 'shoto-addon-manager',
    ...(signal ? { signal } : {}),
  });
}
