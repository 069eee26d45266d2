import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { Table } from '../../core/table.ts';

export interface Flavor {
  id: string;
  name: string;
  vcpus: number;
  ram: number;
  disk: number;
  ephemeral: number;
  swap: number;
  rxtxFactor: number;
  isPublic: boolean;
  description: string | null;
  extraSpecs: Record<string, string>;
  /** Projects that may use a private flavor. */
  access: string[];
}

export interface KeyPair {
  id: string;
  name: string;
  userId: string;
  type: 'ssh' | 'x509';
  publicKey: string;
  fingerprint: string;
  createdAt: number;
  serial: number;
}

export interface ServerGroup {
  id: string;
  name: string;
  projectId: string;
  userId: string;
  policy: 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity';
  rules: Record<string, number>;
  members: string[];
}

export interface Host {
  id: string;
  name: string;
  zone: string;
  disabled: boolean;
}

export interface AttachedVolume {
  volumeId: string;
  attachmentId: string;
  device: string;
  deleteOnTermination: boolean;
  bootIndex: number | null;
  tag: string | null;
}

export interface ServerAction {
  action: string;
  requestId: string;
  userId: string;
  projectId: string;
  startedAt: number;
  finishedAt: number | null;
  result: 'Success' | 'Error' | null;
  message: string | null;
  host: string | null;
}

export interface ServerFault {
  code: number;
  message: string;
  created: number;
  details: string;
}

/** Which network a server asked for. */
export type RequestedNetwork =
  | { portId: string; tag: string | null }
  | { networkId: string; fixedIp: string | null; tag: string | null };

/** A disk a server asked for. */
export interface RequestedDisk {
  source: 'image' | 'volume' | 'snapshot' | 'blank';
  destination: 'local' | 'volume';
  uuid: string | null;
  sizeGiB: number | null;
  bootIndex: number | null;
  deleteOnTermination: boolean;
  volumeType: string | null;
  device: string | null;
  tag: string | null;
}

export interface Server {
  id: string;
  name: string;
  hostname: string;
  description: string | null;
  projectId: string;
  userId: string;
  status: string;
  vmState: string;
  taskState: string | null;
  powerState: number;
  createdAt: number;
  updatedAt: number;
  launchedAt: number | null;
  terminatedAt: number | null;
  deletedAt: number | null;
  host: string | null;
  zone: string;
  requestedZone: string | null;
  flavor: Flavor;
  /** Empty when it boots from a volume. */
  imageId: string;
  keyName: string | null;
  metadata: Record<string, string>;
  tags: string[];
  /** As given, base64. */
  userData: string | null;
  configDrive: boolean;
  diskConfig: 'AUTO' | 'MANUAL';
  locked: boolean;
  lockedReason: string | null;
  fault: ServerFault | null;
  accessIPv4: string;
  accessIPv6: string;
  portIds: string[];
  /** Those of portIds that Nova made itself, and deletes again. */
  ownPortIds: string[];
  volumes: AttachedVolume[];
  groupId: string | null;
  securityGroups: string[];
  reservationId: string;
  launchIndex: number;
  actions: ServerAction[];
  /** Lines that Nova itself has to show as console. */
  serial: number;
}

/** A host aggregate; the id is a number, as text. */
export interface Aggregate {
  id: string;
  uuid: string;
  name: string;
  hosts: string[];
  /** With `availability_zone` where it is one. */
  metadata: Record<string, string>;
  createdAt: number;
  updatedAt: number | null;
}

interface Usage {
  instances: number;
  cores: number;
  ram: number;
}

/** Nova's memory. */
export class ComputeState {
  readonly flavors = new Table<Flavor>({ name: (f) => f.name });
  readonly keyPairs = new Table<KeyPair>({ user: (k) => k.userId });
  readonly groups = new Table<ServerGroup>({ project: (g) => g.projectId });
  readonly hosts = new Table<Host>({ zone: (h) => h.zone });
  readonly servers = new Table<Server>({
    project: (s) => s.projectId,
    tag: (s) => s.tags.map((t) => `${s.projectId} ${t}`),
    host: (s) => s.host,
    group: (s) => s.groupId,
  });
  readonly aggregates = new Table<Aggregate>({ name: (a) => a.name });
  /** Deleted servers, as changes-since shows them. */
  readonly gone = new Table<Server>({ project: (s) => s.projectId });
  serial = 0;
  #aggregates = 0;
  #usage = new Map<string, Usage>();

  /** Makes an empty aggregate, in a zone where one is named. */
  newAggregate(cloud: { ids: Random; clock: Clock }, name: string, zone?: unknown): Aggregate {
    this.#aggregates += 1;
    return this.aggregates.save({
      id: String(this.#aggregates),
      uuid: cloud.ids.uuid(),
      name,
      hosts: [],
      metadata: typeof zone === 'string' ? { availability_zone: zone } : {},
      createdAt: cloud.clock.now(),
      updatedAt: null,
    });
  }

  usage(projectId: string): Usage {
    let usage = this.#usage.get(projectId);
    if (!usage) {
      usage = { instances: 0, cores: 0, ram: 0 };
      this.#usage.set(projectId, usage);
    }
    return usage;
  }

  /** Counts a server in (1) or out (-1). */
  count(projectId: string, flavor: Flavor, by: 1 | -1): void {
    const usage = this.usage(projectId);
    usage.instances += by;
    usage.cores += by * flavor.vcpus;
    usage.ram += by * flavor.ram;
  }
}
