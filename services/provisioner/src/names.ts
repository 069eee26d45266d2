import { createHash } from 'node:crypto';

/**
 * Names and tags of what we make in a cloud. All come from UIDs, so that a pass that remembers nothing finds what an
 * earlier one made. Nova allows neither `/` nor `,` in a tag, so the tags of all services do without.
 */

/** Tag and metadata key: which installation of Shoto made it. */
export const installationTag = (installation: string): string => `shoto-installation=${installation}`;
/** Tag: UID of the Cluster that it belongs to. */
const clusterTag = (clusterUid: string): string => `shoto-cluster=${clusterUid}`;
/** Tag: UID of the Machine that it belongs to. */
const machineTag = (machineUid: string): string => `shoto-machine=${machineUid}`;

/** Metadata keys of a server; with them its Machine is found from a list of servers. */
export const METADATA = {
  installation: 'shoto-installation',
  clusterUid: 'shoto-cluster',
  machineUid: 'shoto-machine',
  /** `namespace/name` of the Machine. */
  machine: 'shoto-machine-key',
} as const;

/** What a thing is made for; tags and descriptions come from it. */
export interface Owner {
  installation: string;
  clusterUid: string;
}

/** Tags of what belongs to a Cluster. */
export const clusterTags = (o: Owner): string[] => [installationTag(o.installation), clusterTag(o.clusterUid)];

/** Tags of what belongs to a Machine. */
export const machineTags = (o: Owner, machineUid: string): string[] => [...clusterTags(o), machineTag(machineUid)];

/**
 * Description of what belongs to a Cluster. Unlike tags it is set by the create call itself, so it proves ownership even
 * when the process died before the tags were put on.
 */
export const ownedBy = (o: Owner): string => `Shoto ${o.installation} cluster ${o.clusterUid}`;

/** Whether a cloud object is provably the Cluster's: by its tag, or by its description where tags are not there yet. */
export const isOwned = (o: Owner, thing: { tags?: readonly string[] | null; description?: string | null }): boolean =>
  (thing.tags ?? []).includes(clusterTag(o.clusterUid)) || thing.description === ownedBy(o);

/** Name in the cloud of a Cluster's network, router, load balancer, ...: `shoto-web-1a2b3c4d`, or with a part at its end. */
export const cloudName = (cluster: { name: string; uid: string }, part?: string): string =>
  `shoto-${cluster.name}-${cluster.uid.replaceAll('-', '').slice(0, 8)}${part ? `-${part}` : ''}`;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function base32(bytes: Uint8Array, length: number): string {
  let out = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5 && out.length < length) {
      bits -= 5;
      out += ALPHABET[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return out;
}

/**
 * Name of the n-th Machine of a pool: `web-workers-k3x7q`. The suffix is a hash of the Cluster's UID, the pool and the ordinal, so that asking twice
 * for the same Machine meets `AlreadyExists` and not a double. Nothing is stored for it: the ordinals in use are those whose names are in use.
 */
export const machineName = (cluster: { name: string; uid: string }, pool: string, ordinal: number): string => {
  const digest = createHash('sha256').update(`${cluster.uid}/${pool}/${ordinal}`).digest();
  return `${cluster.name}-${pool}-${base32(digest, 5)}`;
};

/** MAC address of a Machine's port, from its UID: locally administered, unicast. Neutron refuses a second port with it on a network. */
export const machineMac = (machineUid: string): string => {
  const digest = createHash('sha256').update(machineUid).digest();
  return ['02', ...[...digest.subarray(0, 5)].map((b) => b.toString(16).padStart(2, '0'))].join(':');
};
