import type { Clock, Logger } from '@shoto/service';
import type { DepartedNodes } from './departed.ts';
import type { Events } from './events.ts';
import type { FleetStop } from './fleet.ts';
import type { WorkloadAccess } from './workload/access.ts';
import type { Kube, World } from './world.ts';

/** What a pass over a Machine needs. */
export interface MachineDeps {
  kube: Kube;
  world: World;
  access: WorkloadAccess;
  departed: DepartedNodes;
  events: Events;
  /** The emergency stop of the fleet; while it is not known it counts as on. */
  emergencyStop: () => FleetStop;
  /** The Cluster of that key needs a pass: a machine waits for something that is done under its key. */
  wakeCluster: (key: string) => void;
  clock: Clock;
  log: Logger;
}
