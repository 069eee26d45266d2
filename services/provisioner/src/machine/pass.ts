import type { Cluster, Machine } from '@shoto/api';
import type { Deps } from '../deps.ts';
import type { Infrastructure, MachineMemory } from '../memory.ts';
import type { Owner } from '../names.ts';
import type { RegionRuntime } from '../region/runtime.ts';

/** One pass over one Machine. */
export interface MachinePass {
  d: Deps;
  machine: Machine;
  /** `namespace/name`. */
  key: string;
  uid: string;
  /** Its Cluster; undefined when that is gone already. */
  cluster: Cluster | undefined;
  owner: Owner;
  region: RegionRuntime;
  infra: Partial<Infrastructure>;
  memory: MachineMemory;
  signal: AbortSignal;
}
