import type { Addon, AddonBundle, Cluster, ClusterAddon } from '@shoto/api';
import { canonicalJson, type JsonObject, mergeValues, sha256 } from '@shoto/bundle';
import type { KubeClient } from '@shoto/kube';
import type { ReconcileError } from '@shoto/reconciler';
import type { ApplyContext } from '../apply/apply.ts';
import type { Taken } from '../apply/inventory.ts';
import type { Deps } from '../deps.ts';
import type { ClusterMemory } from '../memory.ts';
import type { Way } from '../planning.ts';
import type { SecretValues } from '../values/secrets.ts';

/** Why nothing that is applied is changed now. */
export interface Hold {
  reason: string;
  message: string;
  /** Updates wait; what drifted is put right all the same. */
  updatesOnly: boolean;
}

/** A pass over the addons of one cluster. */
export interface Pass {
  d: Deps;
  cluster: Cluster;
  workload: KubeClient;
  memory: ClusterMemory;
  way: Way;
  /** Kubernetes version of the cluster. */
  version: string;
  facts: JsonObject;
  /** Facts of the tenant's credentials, where a bundle needs them. */
  credentials: { facts: JsonObject; version: string } | undefined;
  /** Why these are not there. */
  credentialsProblem: ReconcileError | undefined;
  hold: Hold | undefined;
  /** It is time to look at objects that checks name and that have changed. */
  looks: boolean;
  /** Reads the inventories again, once a pass: another process may have changed what we remember. */
  refresh: () => Promise<void>;
  signal: AbortSignal | undefined;
}

/** What is applied of an addon: a bundle with its values. */
export interface Target {
  bundle: AddonBundle;
  /** Of the Cluster's own spec: no secrets. */
  own: JsonObject;
  /** With those from Secrets. */
  values: JsonObject;
  /** See {@link inputOf}. */
  input: string;
  /** Something of it is from Secrets. */
  confidential: boolean;
}

/** An addon that the Cluster asks for, with what it needs. */
export interface Wish {
  wanted: ClusterAddon;
  addon: Addon | undefined;
  secrets: SecretValues;
  /** Why these are not there. */
  problem: ReconcileError | undefined;
}

/** Values that the Cluster's spec itself names. */
export const ownValues = (w: Wish): JsonObject => (w.wanted.values ?? {}) as JsonObject;

/** Facts that a bundle gets: those of the cluster, and the tenant's credentials where it names them. */
export const factsFor = (p: Pass, bundle: AddonBundle): JsonObject =>
  needsCredentials(bundle) ? { ...p.facts, ...p.credentials?.facts } : p.facts;

export const needsCredentials = (bundle: AddonBundle): boolean =>
  bundle.spec.credentials?.includes('openstack') ?? false;

/**
 * A digest of all that a bundle is rendered from, so that nothing need be rendered to see that it is applied already. Secrets go in by their version, never
 * by what they hold.
 */
export function inputOf(p: Pass, w: Wish, bundle: AddonBundle, own: JsonObject): string {
  const secrets = [...w.secrets.versions, ...(needsCredentials(bundle) ? [p.credentials?.version ?? ''] : [])];
  return sha256(canonicalJson([bundle.metadata.name, p.version, p.facts, own, secrets]));
}

export function targetOf(p: Pass, w: Wish, bundle: AddonBundle, own: JsonObject): Target {
  return {
    bundle,
    own,
    values: mergeValues(own, w.secrets.values),
    input: inputOf(p, w, bundle, own),
    confidential: w.secrets.versions.length > 0 || needsCredentials(bundle),
  };
}

/** @param taken - what was taken from others before; entries are added */
export function applyContext(
  p: Pass,
  { confidential }: Target,
  taken: Taken[],
  ignored: ApplyContext['ignored'],
): ApplyContext {
  const { d, workload: client, version, signal } = p;
  return { client, finder: d.finder, version, taken, ignored, confidential, now: d.now(), signal };
}
