import { KubeError, SECRETS } from '@shoto/kube';
import type { Kube } from '../world.ts';

/** A Secret as far as it is used here. Values are base64. */
export interface Secret {
  metadata: {
    name: string;
    namespace: string;
    uid?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  type?: string;
  data?: Record<string, string>;
}

/** Texts as the data of a Secret. */
export const encode = (texts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, Buffer.from(v).toString('base64')]));

/** One value of a Secret as text. @throws Error that names the Secret and the key when it is absent */
export function text(secret: Secret, key: string): string {
  const value = secret.data?.[key];
  if (value === undefined) {
    throw new Error(
      `Secret ${secret.metadata.namespace}/${secret.metadata.name} lacks the key ${key}: restore it from a backup`,
    );
  }
  return Buffer.from(value, 'base64').toString();
}

/** The Secret of that name, live; undefined when absent. */
export const readSecret = (kube: Kube, namespace: string, name: string): Promise<Secret | undefined> =>
  kube.get<Secret>(SECRETS, { namespace, name });

/**
 * The Secret of that name, made if it is not there. Of two that make it at once one wins and both get the winner's:
 * what it holds is never overwritten.
 */
export async function createOnce(
  kube: Kube,
  namespace: string,
  name: string,
  make: () => Promise<Secret>,
): Promise<Secret> {
  const there = await readSecret(kube, namespace, name);
  if (there) return there;
  try {
    return await kube.create<Secret>(SECRETS, await make());
  } catch (e) {
    if (!(e instanceof KubeError && e.isAlreadyExists)) throw e;
    const winner = await readSecret(kube, namespace, name);
    if (!winner) throw e;
    return winner;
  }
}
