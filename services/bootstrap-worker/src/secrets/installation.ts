import { randomBytes } from 'node:crypto';
import { createAuthority, type KeyedCertificate } from '@shoto/pki';
import type { Kube } from '../world.ts';
import { createOnce, encode, text } from './secret.ts';

/** What the installation keeps for good, so that user-data that is out in the cloud stays valid over restarts. */
export interface InstallationSecrets {
  /** Vouches for the check-in server; its certificate is in every user-data. */
  checkInCa: KeyedCertificate;
  /** 32 bytes; tickets are made and checked with it. */
  ticketKey: Buffer;
}

/**
 * Reads them, or makes them the first time: once, however many replicas start together. The namespace is there: `deploy/namespaces.yaml`.
 *
 * @throws {KubeError} {@link Error} when a Secret is there and lacks what it must hold
 */
export async function ensureInstallationSecrets(kube: Kube, namespace: string): Promise<InstallationSecrets> {
  const [ca, key] = await Promise.all([
    createOnce(kube, namespace, 'check-in-ca', async () => {
      const made = await createAuthority('Shoto check-in');
      return {
        metadata: { namespace, name: 'check-in-ca' },
        type: 'kubernetes.io/tls',
        data: encode({ 'tls.crt': made.certificate, 'tls.key': made.key }),
      };
    }),
    createOnce(kube, namespace, 'ticket-key', async () => ({
      metadata: { namespace, name: 'ticket-key' },
      type: 'Opaque',
      data: { key: randomBytes(32).toString('base64') },
    })),
  ]);
  const ticketKey = Buffer.from(key.data?.key ?? '', 'base64');
  if (ticketKey.length < 32) {
    throw new Error(
      `Secret ${namespace}/ticket-key holds ${ticketKey.length} bytes under "key", and 32 are needed: restore it from a backup, or delete it to make every ticket that is out invalid`,
    );
  }
  return { checkInCa: { certificate: text(ca, 'tls.crt'), key: text(ca, 'tls.key') }, ticketKey };
}
