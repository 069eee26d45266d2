import { isDeepStrictEqual } from 'node:util';
import {
  type AddonBundle,
  AddonBundleKind,
  type AddonRegistry,
  AddonRegistryKind,
  type AddonRegistryStatus,
  ANNOTATIONS,
  API_VERSION,
  type ConditionInput,
  resourceOf,
  timestamp,
  withCondition,
} from '@shoto/api';
import {
  BundleError,
  type BundleManifest,
  inspectBundle,
  type RegistryClient,
  RegistryError,
  readPublicKey,
  tagOf,
  verifyBundle,
  versionOfTag,
} from '@shoto/bundle';
import { type KubeClient, KubeError } from '@shoto/kube';
import { type Outcome, ReconcileError, TerminalError } from '@shoto/reconciler';
import { type BlobCache, readOci } from '../content/oci.ts';

const REGISTRIES = resourceOf(AddonRegistryKind);
const BUNDLES = resourceOf(AddonBundleKind);
/** A registry that does not answer is asked again after this, or after its own interval where that is shorter. */
const DOWN_MS = 60_000;
/** Entries of `status.manager.refused`, at most. */
const REFUSED = 64;

type Manager = AddonRegistryStatus['manager'];
type Refusal = NonNullable<Manager['refused']>[number];

/** What a poll needs. */
export interface PollDeps {
  client: KubeClient;
  registry: (name: string) => AddonRegistry | undefined;
  bundle: (name: string) => AddonBundle | undefined;
  bundles: () => AddonBundle[];
  /** A client of the registry. @throws {ReconcileError} */
  clientOf: (registry: AddonRegistry, signal: AbortSignal | undefined) => Promise<RegistryClient>;
  /** Contents by digest. */
  cache: BlobCache;
  wrote: (registry: AddonRegistry) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** The name of an AddonBundle: that of the addon and its version, as far as a name may hold it. */
export const bundleName = (addon: string, version: string): string =>
  `${addon}-${version.replaceAll('+', '-').toLowerCase()}`;

/** Asks a registry for what is new, where it is due or somebody asks for it. Each new version becomes an AddonBundle; what may not is said. */
export async function poll(d: PollDeps, name: string, signal?: AbortSignal): Promise<Outcome> {
  const registry = d.registry(name);
  if (!registry || registry.metadata.deletionTimestamp) return undefined;
  const before = registry.status?.manager;
  const pollNow = registry.metadata.annotations?.[ANNOTATIONS.pollNow];
  const intervalMs = registry.spec.intervalSeconds * 1000;
  const isAsked = pollNow !== before?.pollNow;
  const dueMs = before?.lastPolledAt ? Date.parse(before.lastPolledAt) + intervalMs - d.now() : 0;
  if (dueMs > 0 && !isAsked) return { requeueAfterMs: dueMs };
  let found: { refused: Refusal[] } | undefined;
  let reachable: ConditionInput = { type: 'Reachable', status: 'True', reason: 'Polled', message: 'it answers' };
  try {
    found = await look(d, registry, signal);
  } catch (e) {
    if (!(e instanceof RegistryError || e instanceof ReconcileError)) throw e;
    reachable = { type: 'Reachable', status: 'False', reason: e.reason, message: e.message.slice(0, 1024) };
  }
  const own = d.bundles().filter((b) => b.spec.oci?.registry === name).length;
  const next: Omit<Manager, 'revision'> = {
    ...(found
      ? { lastPolledAt: timestamp(d.now()) }
      : before?.lastPolledAt
        ? { lastPolledAt: before.lastPolledAt }
        : {}),
    ...(pollNow !== undefined && (found || before?.pollNow === pollNow) ? { pollNow } : {}),
    bundles: own,
    ...(found ? refusedOf(found.refused) : before?.refused ? { refused: before.refused } : {}),
    conditions: withCondition(before?.conditions, reachable, d.now()),
  };
  const { revision: _, ...stated } = before ?? { revision: 0 };
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(stated)), JSON.parse(JSON.stringify(next))))
    d.wrote(await d.client.patchStatusMap<AddonRegistry>(REGISTRIES, registry, 'manager', next));
  return { requeueAfterMs: found ? intervalMs : Math.min(DOWN_MS, intervalMs) };
}

const refusedOf = (refused: Refusal[]): Pick<Manager, 'refused'> =>
  refused.length > 0 ? { refused: refused.slice(0, REFUSED) } : {};

/** Everything that a registry has. @throws {RegistryError} where it does not answer */
async function look(
  d: PollDeps,
  registry: AddonRegistry,
  signal: AbortSignal | undefined,
): Promise<{ refused: Refusal[] }> {
  const client = await d.clientOf(registry, signal);
  const refused: Refusal[] = [];
  try {
    const addons = registry.spec.addons.length > 0 ? registry.spec.addons : await client.catalog();
    for (const addon of addons)
      for (const version of await versionsOf(client, addon)) {
        signal?.throwIfAborted();
        const reason = await takeIn(d, registry, client, addon, version);
        if (reason)
          refused.push({ reference: `${client.nameOf(addon)}:${tagOf(version)}`, reason: reason.slice(0, 1024) });
      }
    return { refused };
  } finally {
    await client.close();
  }
}

async function versionsOf(client: RegistryClient, addon: string): Promise<string[]> {
  try {
    return (await client.tags(addon)).flatMap((t) => versionOfTag(t) ?? []).sort();
  } catch (e) {
    // An addon that is looked for and not published yet.
    if (e instanceof RegistryError && e.reason === 'NotFound') return [];
    throw e;
  }
}

/** Makes an AddonBundle of a version that is new. @returns why it may not be one */
async function takeIn(
  d: PollDeps,
  registry: AddonRegistry,
  client: RegistryClient,
  addon: string,
  version: string,
): Promise<string | undefined> {
  const name = bundleName(addon, version);
  try {
    const known = d.bundle(name);
    if (known) return await changed(client, known, addon, version);
    const digest = await client.resolve(addon, tagOf(version));
    if (digest === undefined) return undefined;
    const signedBy = await signerOf(registry, client, addon, digest);
    const { manifest } = await inspectBundle(client, addon, digest);
    if (manifest.name !== addon || manifest.version !== version)
      return `it holds ${manifest.name} ${manifest.version}: a bundle's place is its name and version`;
    const bundle = bundleOf(registry, client, name, manifest, digest, signedBy);
    // Whole, so that what cannot be unpacked is refused here and not on a cluster; and it is at hand when one needs it.
    await readOci(client, d.cache, bundle);
    await d.client.create<AddonBundle>(BUNDLES, bundle);
    return undefined;
  } catch (e) {
    if (
      e instanceof RegistryError &&
      e.kind === 'terminal' &&
      !['Unauthorized', 'Forbidden', 'Untrusted'].includes(e.reason)
    )
      return e.message;
    if (e instanceof BundleError || e instanceof TerminalError) return e.message;
    if (e instanceof KubeError && (e.isInvalid || e.status === 400)) return e.message;
    if (e instanceof KubeError && e.isAlreadyExists) return undefined;
    throw e;
  }
}

function bundleOf(
  registry: AddonRegistry,
  client: RegistryClient,
  name: string,
  m: BundleManifest,
  digest: string,
  signedBy: string | undefined,
): AddonBundle {
  return {
    apiVersion: API_VERSION,
    kind: 'AddonBundle',
    metadata: { name },
    spec: {
      addon: m.name,
      version: m.version,
      channel: m.channel,
      kubernetes: m.kubernetes,
      ...(m.dependsOn.length > 0 ? { dependsOn: m.dependsOn } : {}),
      provides: m.provides,
      oci: { repository: client.nameOf(m.name), digest, registry: registry.metadata.name },
      health: [],
      ...(m.credentials.length > 0 ? { credentials: m.credentials } : {}),
      ...(signedBy ? { signedBy } : {}),
    },
  };
}

/** A version that is known already never changes. */
async function changed(
  client: RegistryClient,
  known: AddonBundle,
  addon: string,
  version: string,
): Promise<string | undefined> {
  const { oci } = known.spec;
  if (!oci) return `AddonBundle ${known.metadata.name} is in the catalogue already, from a ConfigMap`;
  if (oci.repository !== client.nameOf(addon))
    return `AddonBundle ${known.metadata.name} is in the catalogue already, from ${oci.repository}`;
  const digest = await client.resolve(addon, tagOf(version));
  if (digest === undefined || digest === oci.digest) return undefined;
  return `published twice with other content: AddonBundle ${known.metadata.name} has ${oci.digest}, the registry ${digest}; a version never changes, publish a new one`;
}

/**
 * The key that a bundle is signed with; undefined where it need not be signed and is not.
 *
 * @throws {RegistryError} `NotSigned`, `BadSignature` where it must be
 */
async function signerOf(
  { spec }: AddonRegistry,
  client: RegistryClient,
  addon: string,
  digest: string,
): Promise<string | undefined> {
  const isRequired = spec.requireSignature ?? spec.publicKeys.length > 0;
  if (spec.publicKeys.length === 0) return undefined;
  try {
    return await verifyBundle(client, addon, digest, spec.publicKeys.map(readPublicKey));
  } catch (e) {
    const isUnsigned = e instanceof RegistryError && (e.reason === 'NotSigned' || e.reason === 'BadSignature');
    if (isUnsigned && !isRequired) return undefined;
    throw e;
  }
}
