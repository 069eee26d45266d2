import type { z } from 'zod';
import type { quotasSchema } from '../config.ts';

type Area = keyof z.infer<typeof quotasSchema>;

const builtIn: Record<Area, Record<string, number>> = {
  compute: {
    instances: 10,
    cores: 20,
    ram: 51200,
    metadata_items: 128,
    injected_files: 5,
    injected_file_content_bytes: 10240,
    injected_file_path_bytes: 255,
    key_pairs: 100,
    server_groups: 10,
    server_group_members: 10,
    fixed_ips: -1,
    floating_ips: -1,
    security_groups: -1,
    security_group_rules: -1,
    networks: -1,
  },
  network: {
    network: 100,
    subnet: 100,
    subnetpool: -1,
    port: 500,
    router: 10,
    floatingip: 50,
    security_group: 10,
    security_group_rule: 100,
    rbac_policy: 10,
  },
  volume: {
    volumes: 10,
    snapshots: 10,
    gigabytes: 1000,
    backups: 10,
    backup_gigabytes: 1000,
    groups: 10,
    per_volume_gigabytes: -1,
  },
  loadBalancer: {
    loadbalancer: -1,
    listener: -1,
    member: -1,
    pool: -1,
    healthmonitor: -1,
    l7policy: -1,
    l7rule: -1,
  },
};

/** Quotas by area and project; what a project has not of its own is the default. */
export class QuotaBook {
  #defaults = structuredClone(builtIn);
  #projects = new Map<string, Record<Area, Record<string, number>>>();

  /** Changes defaults of every project. */
  setDefaults(quotas: z.infer<typeof quotasSchema>): void {
    for (const area of areas) Object.assign(this.#defaults[area], quotas[area]);
  }

  defaults(area: Area): Record<string, number> {
    return { ...this.#defaults[area] };
  }

  /** All limits of a project in one area. */
  all(area: Area, projectId: string): Record<string, number> {
    return { ...this.#defaults[area], ...this.#projects.get(projectId)?.[area] };
  }

  limit(area: Area, projectId: string, name: string): number {
    return this.#projects.get(projectId)?.[area][name] ?? this.#defaults[area][name] ?? -1;
  }

  set(area: Area, projectId: string, limits: Record<string, number>): void {
    let own = this.#projects.get(projectId);
    if (!own) {
      own = { compute: {}, network: {}, volume: {}, loadBalancer: {} };
      this.#projects.set(projectId, own);
    }
    Object.assign(own[area], limits);
  }

  /** Back to the defaults. */
  reset(area: Area, projectId: string): void {
    const own = this.#projects.get(projectId);
    if (own) own[area] = {};
  }

  /** Limits that projects have of their own, by project id. */
  own(): Record<string, Record<Area, Record<string, number>>> {
    return Object.fromEntries(this.#projects);
  }
}

const areas = Object.keys(builtIn) as Area[];
