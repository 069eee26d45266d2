import { createHash, randomInt } from 'node:crypto';
import type { Machine } from '@shoto/api';
import { type HasMeta, SECRETS } from '@shoto/kube';
import { encode } from '../secrets/secret.ts';
import { type Kube, uidOf } from '../world.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** How long a machine may take from being told to join until its kubelet has its own certificate. */
const BOOTSTRAP_TOKEN_SECONDS = 15 * 60;

const randomText = (length: number): string =>
  Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

/** Six characters that stand for a Machine, the same each time, so that asking twice leaves one token. */
function tokenIdOf(machineUid: string): string {
  const hash = createHash('sha256').update(`bootstrap-token ${machineUid}`).digest();
  return Array.from(hash.subarray(0, 6), (b) => ALPHABET[b % ALPHABET.length]).join('');
}

/** A token in the form that kubeadm asks for, of which no cluster knows anything. */
export const randomBootstrapToken = (): string => `${randomText(6)}.${randomText(16)}`;

const nameOf = (machineUid: string): string => `bootstrap-token-${tokenIdOf(machineUid)}`;

/**
 * A bootstrap token for one machine, in its cluster: fifteen minutes, to authenticate and nothing else. Asked for again it is a new one
 * and the one before is worth nothing. The workload cluster's controller-manager removes it when it has ended.
 *
 * @param now - milliseconds since the epoch
 * @returns the token; secret
 */
export async function makeBootstrapToken(workload: Kube, machine: Machine, now: number): Promise<string> {
  const uid = uidOf(machine);
  const [id, secret] = [tokenIdOf(uid), randomText(16)];
  const object: HasMeta & { type: string; data: Record<string, string> } = {
    metadata: { name: nameOf(uid), namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    data: encode({
      'token-id': id,
      'token-secret': secret,
      expiration: new Date(now + BOOTSTRAP_TOKEN_SECONDS * 1000).toISOString(),
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
      description: `for machine ${machine.metadata.name} to join, once`,
    }),
  };
  await workload.apply(SECRETS, object, { fieldManager: 'shoto-bootstrap-worker', force: true });
  return `${id}.${secret}`;
}

/** Takes a machine's token away: it has joined. */
export const removeBootstrapToken = (workload: Kube, machineUid: string): Promise<unknown> =>
  workload.delete(SECRETS, { namespace: 'kube-system', name: nameOf(machineUid) });
