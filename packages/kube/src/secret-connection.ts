import type { KubeClient } from './client.ts';
import { type Connection, connectionFromKubeconfig } from './connection.ts';
import { SECRETS } from './resources.ts';
import type { HasMeta, ObjectRef } from './types.ts';

/**
 * The connection that a Secret with a kubeconfig holds.
 *
 * @param key - of the Secret's data; default `value`, as Cluster API has it
 * @returns undefined where there is no such Secret, or no such key in it
 */
export async function connectionFromSecret(
  client: KubeClient,
  ref: ObjectRef,
  key = 'value',
): Promise<Connection | undefined> {
  const secret = await client.get<HasMeta & { data?: Record<string, string> }>(SECRETS, ref);
  const text = secret?.data?.[key];
  return text === undefined
    ? undefined
    : connectionFromKubeconfig({ text: Buffer.from(text, 'base64').toString('utf8') });
}
