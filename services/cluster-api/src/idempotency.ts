import { createHash } from 'node:crypto';
import { type Cluster, tenantNamespace } from '@shoto/api';
import type { KubeClient } from '@shoto/kube';
import { ProblemError } from './problem.ts';
import { TYPES } from './store.ts';

/** Label that names the idempotency key of the request that made a Cluster, as a digest. */
const KEY = 'shoto.dev/idempotency-key';
/** Annotation with the digest of that request: the same key with another request is a mistake. */
const REQUEST = 'shoto.dev/idempotency-request';

/** What only this service needs of a Cluster's metadata. */
export const INTERNAL = [KEY, REQUEST];

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Marks of a request that is to be carried out once. */
export interface Once {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** The marks of a request. A label's value holds 63 characters; half of the digest is more than enough. */
export const marksOf = (user: string, key: string, request: unknown): Once => ({
  labels: { [KEY]: digest(`${user}\n${key}`).slice(0, 32) },
  annotations: { [REQUEST]: digest(JSON.stringify(request)) },
});

/**
 * The Cluster that an earlier request with the same key made, if there was one. Read live: the repetition of a lost answer
 * may come within milliseconds, at another replica.
 *
 * @throws {ProblemError} 409 where the earlier request was another one
 */
export async function madeBefore(client: KubeClient, tenant: string, once: Once): Promise<Cluster | undefined> {
  const { items } = await client.list<Cluster>(TYPES.clusters, {
    namespace: tenantNamespace(tenant),
    labelSelector: `${KEY}=${once.labels[KEY]}`,
  });
  const made = items[0];
  if (!made || made.metadata.annotations?.[REQUEST] === once.annotations[REQUEST]) return made;
  throw new ProblemError(
    409,
    'IdempotencyKeyReused',
    `this Idempotency-Key made cluster ${made.metadata.name} with another request: use a new key for each cluster`,
  );
}
