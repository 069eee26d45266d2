import { type Cluster, ClusterKind, resourceOf, type Tenant, TenantKind, tenantNamespace } from '@shoto/api';
import { type KubeClient, KubeError } from '@shoto/kube';
import type { View } from '../view.ts';
import { type Ask, type Grant, type Held, settle, totalOf } from './ledger.ts';

const TENANTS = resourceOf(TenantKind);
const CLUSTERS = resourceOf(ClusterKind);
const TRIES = 8;

/** What reservations are kept with. */
export interface ReservationsDeps {
  kube: Pick<KubeClient, 'get' | 'listAll' | 'patchStatusMap'>;
  tenants: View<Tenant>;
  /** Clusters of a namespace, as known. */
  clustersIn: (namespace: string) => Cluster[];
  /** How many Machines a Cluster has, as known. */
  machinesOf: (cluster: Cluster) => number;
}

/** A grant under a quota. */
export interface Granted extends Grant {
  tenant: { name: string; quota: number };
}

/** A quota, and what other clusters hold of it. */
export interface Room {
  tenant: { name: string; quota: number };
  others: number;
}

interface Waiting {
  ask: Ask;
  resolve: (g: Granted | undefined) => void;
  reject: (e: unknown) => void;
}

/** Name of the tenant of a namespace. */
function tenantOf(namespace: string): string | undefined {
  const prefix = tenantNamespace('');
  return namespace.startsWith(prefix) ? namespace.slice(prefix.length) : undefined;
}

/**
 * What clusters hold of their tenants' quotas. Kept on the Tenant (`status.reserved`) and written by compare-and-swap before a Machine is made, so that of two clusters, in this process or
 * another, only one gets the last of it. What clusters of one tenant ask for at one moment is one write; what changes nothing is none. Nothing is remembered here.
 */
export class Reservations {
  readonly #o: ReservationsDeps;
  readonly #lines = new Map<string, Waiting[]>();

  constructor(o: ReservationsDeps) {
    this.#o = o;
  }

  /**
   * Reserves what a Cluster needs, or as much of it as the quota carries, and gives back what it needs no longer.
   *
   * @returns undefined where there is no quota
   * @throws {KubeError} the answer could not be stored: nothing may be made
   */
  async ask(namespace: string, ask: Ask): Promise<Granted | undefined> {
    const name = tenantOf(namespace);
    const tenant = name === undefined ? undefined : this.#o.tenants.get(name);
    if (!tenant) return undefined;
    const { settled, strangers } = this.#settle(tenant, [ask]);
    const grant = settled.grants.get(ask.cluster.uid);
    const mayGetMore = strangers.length > 0 && grant !== undefined && grant.machines < ask.wants;
    if (!settled.isChanged && !mayGetMore) return grantedOf(tenant, grant);
    return await new Promise((resolve, reject) => {
      const waiting = { ask, resolve, reject };
      const line = this.#lines.get(tenant.metadata.name);
      if (line) line.push(waiting);
      else void this.#serve(tenant.metadata.name, [waiting]);
    });
  }

  /** What others hold of the quota that a Cluster is under; undefined where there is none. */
  room(namespace: string, uid: string): Room | undefined {
    const name = tenantOf(namespace);
    const tenant = name === undefined ? undefined : this.#o.tenants.get(name);
    const quota = tenant?.spec.quota?.machines;
    if (!tenant || quota === undefined) return undefined;
    const stored = heldOf(tenant);
    const { [uid]: _, ...others } = settle(quota, stored, [], this.#known(tenant, stored)).clusters;
    return { tenant: { name: tenant.metadata.name, quota }, others: totalOf(others) };
  }

  /** One write after another for each tenant; who comes meanwhile is in the next one. */
  async #serve(name: string, first: Waiting[]): Promise<void> {
    for (let batch = first; batch.length > 0; batch = this.#lines.get(name) ?? []) {
      this.#lines.set(name, []);
      try {
        const grants = await this.#write(
          name,
          batch.map((w) => w.ask),
        );
        for (const w of batch) w.resolve(grants(w.ask.cluster.uid));
      } catch (e) {
        for (const w of batch) w.reject(e);
      }
    }
    this.#lines.delete(name);
  }

  async #write(name: string, asks: readonly Ask[]): Promise<(uid: string) => Granted | undefined> {
    const { kube, tenants } = this.#o;
    for (let tries = 1; ; tries++) {
      const tenant = tries === 1 ? tenants.get(name) : await kube.get<Tenant>(TENANTS, { name });
      if (!tenant) return () => undefined;
      // The list comes after the Tenant was read: what held something then and is not in the list is gone.
      const { strangers } = this.#settle(tenant, asks);
      const gone = strangers.length > 0 ? await this.#gone(tenant, strangers) : [];
      const { settled } = this.#settle(tenant, asks, gone);
      const granted = (uid: string) => grantedOf(tenant, settled.grants.get(uid));
      if (!settled.isChanged) return granted;
      const { clusters } = settled;
      try {
        const next = tenant.spec.quota?.machines === undefined ? {} : { machines: totalOf(clusters), clusters };
        tenants.wrote(await kube.patchStatusMap<Tenant>(TENANTS, tenant, 'reserved', next, {}));
        return granted;
      } catch (e) {
        if (!(e instanceof KubeError && e.isConflict) || tries >= TRIES) throw e;
      }
    }
  }

  #settle(tenant: Tenant, asks: readonly Ask[], gone: readonly string[] = []) {
    const quota = tenant.spec.quota?.machines;
    const stored = heldOf(tenant);
    const known = this.#known(tenant, stored);
    const there = new Set([...known.map((c) => c.uid), ...asks.map((a) => a.cluster.uid)]);
    const strangers = Object.keys(stored).filter((uid) => !there.has(uid));
    if (quota === undefined) {
      // Without a quota nobody keeps the books, so nothing stale stays in them.
      const none = { clusters: {}, grants: new Map<string, Grant>(), isChanged: Object.keys(stored).length > 0 };
      return { settled: none, strangers: [] };
    }
    const left = Object.fromEntries(Object.entries(stored).filter(([uid]) => !gone.includes(uid)));
    return { settled: settle(quota, left, asks, known), strangers };
  }

  /** Machines are only counted of those that hold nothing. */
  #known(tenant: Tenant, stored: Held): { uid: string; name: string; machines: number }[] {
    return this.#o.clustersIn(tenantNamespace(tenant.metadata.name)).map((c) => ({
      uid: c.metadata.uid ?? '',
      name: c.metadata.name,
      machines: stored[c.metadata.uid ?? ''] ? 0 : this.#o.machinesOf(c),
    }));
  }

  async #gone(tenant: Tenant, uids: readonly string[]): Promise<string[]> {
    const namespace = tenantNamespace(tenant.metadata.name);
    const live = new Set((await this.#o.kube.listAll<Cluster>(CLUSTERS, { namespace })).map((c) => c.metadata.uid));
    return uids.filter((uid) => !live.has(uid));
  }
}

const heldOf = (tenant: Tenant): Held => tenant.status?.reserved?.clusters ?? {};

function grantedOf(tenant: Tenant, grant: Grant | undefined): Granted | undefined {
  const quota = tenant.spec.quota?.machines;
  return grant && quota !== undefined ? { ...grant, tenant: { name: tenant.metadata.name, quota } } : undefined;
}
