import type { Cluster } from '@shoto/api';

/** The provisioner's map of a Cluster. */
export type Infrastructure = NonNullable<Cluster['status']>['infrastructure'];

/** What a process remembers of a Machine between passes. All of it can be lost: then it is looked up in the cloud. */
export interface MachineMemory {
  port?: {
    id: string;
    address: string;
    /** We saw its birth and asked for no server since: so there is none. */
    fresh: boolean;
  };
  /** When a port was asked for without an answer, on a network where it cannot be a lock. */
  portAskedAt?: number;
  serverId?: string;
  /** When we asked for this server. */
  askedAt?: number;
  /** Since when a server may come that we know nothing of: an answer was lost, or an earlier process may have asked. */
  unsureSince?: number;
  /** It is this process that asked and got no answer. */
  unanswered?: boolean;
  /** Failed attempts in a row to get the server running. */
  failures: number;
  /** Not before this time is a server asked for again. */
  retryAt?: number;
  /** When its server was last looked at alone because its node was silent, or a list lacked it. */
  lookedAt?: number;
  /** The region's last full list lacked its server. */
  unlisted?: boolean;
  /** When a reboot of its server was begun that is not seen to be over. */
  rebootedAt?: number;
  /** When the server of a leaving machine was last looked at live, while its node was still in its cluster. */
  leavingLookedAt?: number;
  /** The cloud was asked to delete its server. */
  deleteAsked?: boolean;
  /** Volumes of the server, seen before it was deleted. */
  volumes?: string[];
}

/** What a process remembers of a Cluster between passes. */
export interface ClusterMemory {
  /** What was made and is not stored yet; only its ids and its endpoint. */
  infrastructure?: Partial<Infrastructure>;
  /** Addresses that the load balancer's pool has, once we saw or set them. */
  members?: ReadonlySet<string>;
  /** The load balancer was seen ACTIVE with all its parts. */
  loadBalancerComplete?: boolean;
  /** How often it was looked at while PENDING. */
  looks: number;
  /** Port that the floating IP is bound to. */
  boundTo?: string;
  /** Security groups whose rules were seen complete. */
  rulesComplete?: boolean;
  /** The Cluster is being deleted, and what its addons made in the cloud is gone: nothing is left that could make more. */
  addonsLeft?: boolean;
  /** The subnet was seen on the router. */
  routed?: boolean;
  /** When the credential of the addons was last looked at, and for which region as it was then. */
  addonCredentials?: { region: object; at: number };
  /** A credential for addons that was made and is still to be tried and stored; its secret is nowhere else. */
  madeCredential?: {
    id: string;
    secret: string;
    projectId: string;
    createdAt: string;
    expiresAt: string;
    withRules: boolean;
  };
  /** When the status was last written. */
  wroteAt?: number;
  /** It would have more machines if its tenant's quota carried them. */
  waitsForQuota?: boolean;
  /** Since when it holds more of the quota than it needs. */
  surplusSince?: number;
  /** UIDs of Machines whose deletion was asked for: the watch may not show it yet. */
  removed?: Set<string>;
  /** What the cloud was asked to make without an answer, and when: it may still come. */
  unanswered: Map<string, number>;
}

/** What passes of one process remember. Never the only place of anything. */
export class Memory {
  readonly #machines = new Map<string, MachineMemory>();
  readonly #clusters = new Map<string, ClusterMemory>();

  /** By the Machine's UID; begins empty. */
  machine(uid: string): MachineMemory {
    let m = this.#machines.get(uid);
    if (!m) {
      m = { failures: 0 };
      this.#machines.set(uid, m);
    }
    return m;
  }

  /** By the Cluster's UID; begins empty. */
  cluster(uid: string): ClusterMemory {
    let c = this.#clusters.get(uid);
    if (!c) {
      c = { looks: 0, unanswered: new Map() };
      this.#clusters.set(uid, c);
    }
    return c;
  }

  /** What is known of a Cluster's infrastructure: what is stored, and what was made since. */
  infrastructure(cluster: Cluster): Partial<Infrastructure> {
    return { ...cluster.status?.infrastructure, ...this.#clusters.get(cluster.metadata.uid ?? '')?.infrastructure };
  }

  forgetMachine(uid: string): void {
    this.#machines.delete(uid);
  }

  forgetCluster(uid: string): void {
    this.#clusters.delete(uid);
  }
}
