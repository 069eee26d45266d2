import { API_VERSION } from '@shoto/api';
import type { EventRecord } from '@shoto/kube';
import type { ClusterPass } from '../pass.ts';

/** Records an Event about the Cluster of a pass. Never throws. */
export const clusterEvent = (
  { d, cluster }: ClusterPass,
  e: Pick<EventRecord, 'type' | 'reason' | 'message' | 'action'>,
): Promise<void> =>
  d.events({
    ...e,
    regarding: {
      apiVersion: API_VERSION,
      kind: 'Cluster',
      namespace: cluster.metadata.namespace as string,
      name: cluster.metadata.name,
      uid: cluster.metadata.uid as string,
    },
    reportingController: 'shoto.dev/provisioner',
  });
