import { TerminalError } from '@shoto/reconciler';
import type { Clock } from '@shoto/service';
import type { RegionCloud } from '../cloud/region-cloud.ts';

/** How long what was found, and what was not, is believed. */
const FOUND_MS = 600_000;
const MISSED_MS = 15_000;
const NAMED_AT_MOST = 8;

interface Named {
  id: string;
  name: string;
}

/** A flavor, and what a server of it takes of the project's quotas. */
export interface FlavorSize extends Named {
  vcpus: number;
  /** MiB. */
  ram: number;
}

/** A subnet as far as machines need it. */
export interface SharedNetwork {
  networkId: string;
  subnetId: string;
}

const choices = (names: readonly string[]): string => {
  const some = [...new Set(names)].sort();
  if (some.length === 0) return 'the cloud has none';
  const rest = some.length - NAMED_AT_MOST;
  return `choose one of ${some.slice(0, NAMED_AT_MOST).join(', ')}${rest > 0 ? ` or ${rest} more` : ''}`;
};

/**
 * Turns names of a region's images, flavors, networks and zones into ids. What is found is kept for ten minutes.
 *
 * All methods throw {@link TerminalError} with the field, its value and what would be right when there is no such thing.
 */
export class References {
  readonly #cloud: RegionCloud;
  readonly #region: string;
  readonly #clock: Clock;
  readonly #kept = new Map<string, { value: Promise<unknown>; until: number }>();

  constructor(o: { cloud: RegionCloud; region: string; clock: Clock }) {
    this.#cloud = o.cloud;
    this.#region = o.region;
    this.#clock = o.clock;
  }

  /** ID of an image, by ID or name. */
  async image(field: string, value: string): Promise<string> {
    const images = await this.#keep(`image ${value}`, async () => {
      const byId = isId(value)
        ? await this.#cloud.find(`look up image ${value}`, (c, o) => c.image.images.get(value, o))
        : undefined;
      const found = byId
        ? [byId]
        : await this.#cloud.call(`look up image ${value}`, (c, o) => c.image.images.list({ name: value }, o).all());
      return found.filter((i) => i.status === 'active').map((i) => ({ id: i.id, name: i.name ?? '' }));
    });
    return this.#one('image', field, value, images, async () => []);
  }

  /** ID of a flavor, by ID or name. */
  async flavor(field: string, value: string): Promise<string> {
    const all = await this.flavors();
    const found = all.filter((f) => f.id === value || f.name === value);
    if (found.length === 0) this.#kept.delete('flavors');
    return this.#one('flavor', field, value, found, async () => all.map((f) => f.name));
  }

  /** What a flavor takes of the project's quotas, by ID or name. */
  async size(field: string, value: string): Promise<FlavorSize> {
    const id = await this.flavor(field, value);
    return (await this.flavors()).find((f) => f.id === id) as FlavorSize;
  }

  /** All flavors that the project may use. */
  flavors(): Promise<FlavorSize[]> {
    return this.#keep('flavors', async () =>
      (await this.#cloud.call('list flavors', (c, o) => c.compute.flavors.list({}, o).all())).map(
        ({ id, name, vcpus, ram }): FlavorSize => ({ id, name, vcpus, ram }),
      ),
    );
  }

  /** ID of the network that floating IPs come from, by ID or name. */
  async externalNetwork(value: string): Promise<string> {
    return this.#network('Region.spec.externalNetwork', value);
  }

  /** The network that all machines of the region share, and its first IPv4 subnet. */
  async sharedNetwork(value: string): Promise<SharedNetwork> {
    const field = 'Region.spec.sharedNetwork';
    const networkId = await this.#network(field, value);
    const subnets = await this.#keep(`subnets ${networkId}`, async () =>
      (
        await this.#cloud.call(`list subnets of ${value}`, (c, o) =>
          c.network.subnets.list({ network_id: networkId }, o).all(),
        )
      )
        .filter((s) => s.ip_version === 4)
        .map(({ id, name }): Named => ({ id, name }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
    const subnetId = subnets[0]?.id;
    if (subnetId === undefined)
      throw new TerminalError(
        'NetworkNotFound',
        `${field}: "${value}" has no IPv4 subnet in region ${this.#region}: give it one`,
      );
    return { networkId, subnetId };
  }

  /** Checks that the zones exist. */
  async zones(field: string, values: readonly string[]): Promise<void> {
    if (values.length === 0) return;
    const names = await this.#keep('zones', async () =>
      (await this.#cloud.call('list availability zones', (c, o) => c.compute.availabilityZones(o).all()))
        .filter((z) => z.zoneState.available)
        .map((z) => z.zoneName),
    );
    const missing = values.find((v) => !names.includes(v));
    if (missing === undefined) return;
    this.#kept.delete('zones');
    throw new TerminalError(
      'ZoneNotFound',
      `${field}: there is no availability zone "${missing}" in region ${this.#region}: ${choices(names)}`,
    );
  }

  async #network(field: string, value: string): Promise<string> {
    const found = await this.#keep(`network ${value}`, async () => {
      const byId = isId(value)
        ? await this.#cloud.find(`look up network ${value}`, (c, o) => c.network.networks.get(value, o))
        : undefined;
      const all = byId
        ? [byId]
        : await this.#cloud.call(`look up network ${value}`, (c, o) =>
            c.network.networks.list({ name: value }, o).all(),
          );
      return all.map(({ id, name }): Named => ({ id, name }));
    });
    return this.#one('network', field, value, found, async () =>
      (await this.#cloud.call('list networks', (c, o) => c.network.networks.list({}, o).all())).map((n) => n.name),
    );
  }

  async #one(
    what: 'image' | 'flavor' | 'network',
    field: string,
    value: string,
    found: readonly Named[],
    others: () => Promise<string[]>,
  ): Promise<string> {
    const byId = found.find((f) => f.id === value);
    const only = byId ?? (found.length === 1 ? found[0] : undefined);
    if (only) return only.id;
    const reason = `${what.charAt(0).toUpperCase()}${what.slice(1)}`;
    if (found.length > 1)
      throw new TerminalError(
        `${reason}Ambiguous`,
        `${field}: there are ${found.length} ${what}s named "${value}" in region ${this.#region}: give an ID, one of ${found.map((f) => f.id).join(', ')}`,
      );
    const names = await others();
    throw new TerminalError(
      `${reason}NotFound`,
      `${field}: there is no ${what} "${value}" in region ${this.#region}: ${names.length ? choices(names) : `upload it, or name another`}`,
    );
  }

  async #keep<T extends { length: number }>(key: string, load: () => Promise<T>): Promise<T> {
    const now = this.#clock.now();
    const kept = this.#kept.get(key);
    if (kept && kept.until > now) return kept.value as Promise<T>;
    const value = load();
    this.#kept.set(key, { value, until: now + FOUND_MS });
    try {
      const got = await value;
      if (got.length === 0) this.#kept.set(key, { value, until: now + MISSED_MS });
      return got;
    } catch (e) {
      this.#kept.delete(key);
      throw e;
    }
  }
}

const isId = (value: string): boolean => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value);
