import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { ClusterTemplateSpec, type ClusterTemplateSpec as Spec } from './cluster-spec.ts';
import { isTimeZone, NO_TIME_ZONE } from './maintenance-window.ts';

export const ClusterTemplateStatus = z.object({}).prefault({});
/** Named defaults for a Cluster, resolved once by cluster-api. A later edit touches no cluster. */
export type ClusterTemplate = ObjectOf<Spec, z.output<typeof ClusterTemplateStatus>>;

export const ClusterTemplateKind = defineKind({
  kind: 'ClusterTemplate',
  plural: 'clustertemplates',
  singular: 'clustertemplate',
  shortNames: ['ctpl'],
  namespaced: false,
  description:
    'Named defaults for a Cluster. They are taken over once, when the Cluster is made; a later edit touches no cluster.',
  spec: ClusterTemplateSpec,
  status: ClusterTemplateStatus,
  columns: [
    { name: 'Region', type: 'string', jsonPath: '.spec.region', description: 'Region of the clusters.' },
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'Release of the clusters.' },
    { name: 'Description', type: 'string', jsonPath: '.spec.description', description: 'For whom it is.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
  ],
  rules: [
    {
      cel: '!has(self.spec.controlPlane) || !has(self.spec.controlPlane.count) || self.spec.controlPlane.count % 2 == 1',
      message: 'etcd needs an odd number of control-plane machines: 1, 3 or 5',
      fieldPath: '.spec.controlPlane.count',
      check: ({ spec }) => spec.controlPlane?.count === undefined || spec.controlPlane.count % 2 === 1,
    },
    {
      // In the CRD it is a rule of the field itself.
      message: NO_TIME_ZONE,
      fieldPath: '.spec.maintenanceWindow.timeZone',
      check: ({ spec }) => !spec.maintenanceWindow || isTimeZone(spec.maintenanceWindow.timeZone),
    },
  ],
});
