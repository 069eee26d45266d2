import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority, issue, type KeyedCertificate, kubeconfig } from '@shoto/pki';

const YEAR = 365 * 24 * 3600;
/** Services that have a user of their own on the management cluster. */
export const SERVICES = ['bootstrap-worker', 'provisioner', 'self-healing', 'addon-manager', 'cluster-api'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Certificates by which services know one another. */
export interface InternalPki {
  ca: KeyedCertificate;
  caFile: string;
  files(service: string): { cert: string; key: string };
}

const secret = { mode: 0o600 };

/** Makes the CA between services, and a certificate for each. */
export async function makeInternalPki(dir: string): Promise<InternalPki> {
  const ca = await createAuthority('shoto internal');
  const caFile = join(dir, 'internal-ca.crt');
  await writeFile(caFile, ca.certificate);
  for (const name of [...SERVICES, 'simulator']) {
    const own = await issue(ca, {
      commonName: name,
      usages: ['client', 'server'],
      dnsNames: ['localhost', name],
      ipAddresses: ['127.0.0.1'],
      seconds: YEAR,
    });
    await writeFile(join(dir, `${name}.crt`), own.certificate);
    await writeFile(join(dir, `${name}.key`), own.key, secret);
  }
  return { ca, caFile, files: (service) => ({ cert: join(dir, `${service}.crt`), key: join(dir, `${service}.key`) }) };
}

/** Tokens of a management cluster, in the format of kube-apiserver's `--token-auth-file`. */
export interface ManagementTokens {
  file: string;
  kubeconfig(user: string): string;
}

/** Makes a token for `admin` (system:masters) and for the user of each service. */
export async function makeManagementTokens(dir: string, server: string, ca: string): Promise<ManagementTokens> {
  const tokens = new Map(
    ['admin', ...SERVICES.map((s) => `shoto:${s}`)].map((user) => [user, randomBytes(24).toString('hex')]),
  );
  const file = join(dir, 'management-tokens.csv');
  await writeFile(
    file,
    [...tokens]
      .map(([user, token]) => `${token},${user},${user}${user === 'admin' ? ',system:masters' : ''}\n`)
      .join(''),
    secret,
  );
  return {
    file,
    kubeconfig(user) {
      const token = tokens.get(user);
      if (!token) throw new Error(`no user ${user} on this management cluster`);
      return kubeconfig({ cluster: 'shoto', server, ca, user, credential: { token } });
    },
  };
}
