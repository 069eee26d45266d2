import type { Region } from '@shoto/api';
import { TerminalError } from '@shoto/reconciler';
import { type CloudConfig, cloudFromText, createClient, type OpenStack } from 'openstack-client-ts';
import { toCloudError } from '../cloud/errors.ts';

/** A Secret as far as credentials are read from it. */
export interface CredentialsSecret {
  metadata: { name: string; namespace?: string; resourceVersion?: string };
  /** Base64, by key. */
  data?: Record<string, string>;
}

/**
 * The configuration of a region's cloud, from the Secret that the Region names. Nothing is read from files or the environment.
 *
 * @throws {TerminalError} that names the Secret, its key and the mend
 */
export function cloudConfigOf(region: Region, secret: CredentialsSecret | undefined): CloudConfig {
  const { credentialsSecretRef: ref, cloud, regionName } = region.spec.openstack;
  const where = `Secret ${ref.namespace}/${ref.name}`;
  if (!secret)
    throw new TerminalError(
      'SecretNotFound',
      `spec.openstack.credentialsSecretRef: there is no ${where}: make it with the key clouds.yaml`,
    );
  const text = (key: string): string | undefined => {
    const value = secret.data?.[key];
    return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
  };
  const clouds = text('clouds.yaml');
  if (clouds === undefined)
    throw new TerminalError('InvalidCredentials', `${where} has no key clouds.yaml: put the cloud's clouds.yaml there`);
  let config: CloudConfig;
  try {
    config = cloudFromText(clouds, cloud);
  } catch (e) {
    throw toCloudError(e, `read clouds.yaml of ${where}`);
  }
  const ca = text('cacert');
  // Files of a person's clouds.yaml are not on this machine; the CA comes with the Secret.
  const { caFile: _, ...rest } = config;
  return {
    ...rest,
    ...(regionName ? { region: regionName } : {}),
    ...(ca ? { ca } : {}),
  };
}

/** A client of the region's cloud; sends nothing yet. */
export const openCloud = (config: CloudConfig): OpenStack => createClient(config, { userAgent: 'shoto-provisioner' });
