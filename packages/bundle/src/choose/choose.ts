import { CHANNELS, type Channel } from '@shoto/api';
import { compareVersions } from './range.ts';

/** What the choice reads of a bundle: an AddonBundle fits, and so does what is made of a manifest. */
export interface Choosable {
  spec: {
    addon: string;
    /** Semantic version. */
    version: string;
    /** Range of Kubernetes versions. */
    kubernetes: string;
    /** Default stable. */
    channel?: string | undefined;
    dependsOn?: readonly { name: string; version?: string | undefined }[] | undefined;
    provides?: readonly string[] | undefined;
  };
}

/** An addon that a cluster asks for. */
export interface WantedAddon {
  name: string;
  /** This version only, of whatever channel; the newest that fits where absent. */
  version?: string | undefined;
  /** Default stable. An unknown one counts as stable. */
  channel?: string | undefined;
}

const rank = (channel: string | undefined): number => Math.max(0, CHANNELS.indexOf((channel ?? 'stable') as Channel));

/** Whether a cluster on a channel takes a bundle of another: stable ones always, candidates on candidate and edge, edge ones on edge. */
export const takes = (wanted: string | undefined, offered: string | undefined): boolean =>
  rank(offered) <= rank(wanted) && (offered === undefined || CHANNELS.includes(offered as Channel));

/** Newest first; equal ones in an order that is always the same. */
export const newestFirst = (a: Choosable, b: Choosable): number =>
  compareVersions(b.spec.version, a.spec.version) || (a.spec.version < b.spec.version ? 1 : -1);

/** The bundles that a cluster may get of an addon, whatever its Kubernetes version, newest first. */
export const candidates = <B extends Choosable>(bundles: readonly B[], wanted: WantedAddon): B[] =>
  bundles
    .filter((b) => b.spec.addon === wanted.name)
    .filter((b) =>
      wanted.version === undefined ? takes(wanted.channel, b.spec.channel) : b.spec.version === wanted.version,
    )
    .sort(newestFirst);
