import { ADDON_CREDENTIALS, addonCredentialsRef, type Cluster, type ClusterAddon } from '@shoto/api';

import { BundleError, type JsonObject, mergeValues, readYaml } from '@shoto/bundle';
import { type HasMeta, type KubeClient, SECRETS } from '@shoto/kube';
import { TerminalError, WaitingError } from '@shoto/reconciler';

/** How soon a Secret that is not there is looked for again. */
const LOOK_AGAIN_MS = 15_000;

interface Secret extends HasMeta {
  data?: Record<string, string>;
}

/** Values that come from Secrets, and which Secrets these were: never what they hold. */
export interface SecretValues {
  values: JsonObject;
  /** UID and resourceVersion of each. */
  versions: string[];
}

const versionOf = (s: Secret): string => `${s.metadata.uid}/${s.metadata.resourceVersion}`;

/**
 * The values of an addon that lie in Secrets of the tenant, laid over each other.
 *
 * @throws {WaitingError} `ValuesMissing` while a Secret or its key is not there
 * @throws {TerminalError} `ValuesInvalid` where it holds no YAML mapping; says nothing of what it holds
 */
export async function valuesFrom(client: KubeClient, cluster: Cluster, wanted: ClusterAddon): Promise<SecretValues> {
  const { namespace } = cluster.metadata;
  const layers: JsonObject[] = [];
  const versions: string[] = [];
  for (const [i, { secretName, key }] of (wanted.valuesFrom ?? []).entries()) {
    const where = `valuesFrom[${i}]: Secret ${namespace}/${secretName}`;
    const secret = await client.get<Secret>(SECRETS, { namespace, name: secretName });
    if (!secret) throw new WaitingError('ValuesMissing', `${where} is not there: make it`, LOOK_AGAIN_MS);
    const encoded = secret.data?.[key];
    if (encoded === undefined)
      throw new WaitingError('ValuesMissing', `${where} has no key ${key}: add it`, LOOK_AGAIN_MS);
    layers.push(mappingOf(Buffer.from(encoded, 'base64').toString('utf8'), `${where}, key ${key}`));
    versions.push(versionOf(secret));
  }
  return { values: mergeValues(...layers), versions };
}

function mappingOf(text: string, where: string): JsonObject {
  let documents: { value: unknown }[];
  try {
    documents = readYaml(text, 'values');
  } catch (e) {
    if (!(e instanceof BundleError)) throw e;
    // The reader's words may quote the text: only its place is said.
    const line = e.problems[0]?.line;
    throw new TerminalError('ValuesInvalid', `${where} is not YAML${line ? ` (line ${line})` : ''}: mend it`);
  }
  const [first, second] = documents;
  const value = first?.value ?? {};
  if (second || typeof value !== 'object' || Array.isArray(value))
    throw new TerminalError('ValuesInvalid', `${where} must hold one YAML mapping`);
  return value as JsonObject;
}

/** What of the cluster's application credential is a fact; the rest is the provisioner's own business. */
const CREDENTIAL_FACTS = Object.entries(ADDON_CREDENTIALS).filter(
  ([fact]) => !['createdAt', 'expiresAt'].includes(fact),
);

/**
 * What an addon needs of the tenant's credentials in its cloud, as `facts.openstack`.
 *
 * @throws {WaitingError} `CredentialsPending` while the provisioner has not made them
 */
export async function openstackFacts(
  client: KubeClient,
  cluster: Cluster,
  systemNamespace: string,
): Promise<{ facts: JsonObject; version: string }> {
  const secret = await client.get<Secret>(SECRETS, addonCredentialsRef(systemNamespace, cluster.metadata.uid!));
  if (!secret)
    throw new WaitingError(
      'CredentialsPending',
      'waits for the application credential of its addons, which the provisioner makes',
      5_000,
    );
  const read = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  return {
    facts: { openstack: Object.fromEntries(CREDENTIAL_FACTS.map(([fact, key]) => [fact, read(key)])) },
    version: versionOf(secret),
  };
}
