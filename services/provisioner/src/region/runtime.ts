import type { Region } from '@shoto/api';
import type { RegionCloud } from '../cloud/region-cloud.ts';
import type { DeletionCap } from './deletion-cap.ts';
import type { References } from './references.ts';
import type { ServerPoller } from './server-poller.ts';

/** A region that answers: what passes on its Clusters and Machines work with. */
export interface RegionRuntime {
  region: Region;
  cloud: RegionCloud;
  references: References;
  servers: Pick<ServerPoller, 'get' | 'expect' | 'forget' | 'namesOf'>;
  deletions: DeletionCap;
  /** A service that takes no application credential with access rules, once that was seen. */
  credentialRules: { refusedBy?: string };
}
