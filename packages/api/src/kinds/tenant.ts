import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { dnsLabel, revision } from '../meta.ts';

export const TenantSpec = z.object({
  displayName: z.string().max(128).optional().describe('Name for people.'),
  quota: z
    .object({
      machines: z
        .int()
        .min(0)
        .max(1_000_000)
        .optional()
        .describe('Most machines of all clusters of the tenant together.'),
    })
    .prefault({})
    .describe('How much the team may ask for; unlimited where absent.'),
});
export const TenantStatus = z
  .object({
    reserved: z
      .object({
        revision: revision(),
        machines: z.int().min(0).optional().describe('Machines of all clusters together.'),
        clusters: z
          .record(
            z.string().max(64),
            z.object({
              name: dnsLabel().describe('Name of the Cluster.'),
              machines: z.int().min(1).describe('Machines that it has, or is about to make.'),
            }),
          )
          .optional()
          .describe('What of the quota each Cluster holds, by its UID. Only while the tenant has a quota.'),
      })
      .prefault({})
      .describe("The provisioner's map: what is spent of the quota."),
  })
  .prefault({});

export type TenantSpec = z.output<typeof TenantSpec>;
/** A team. Owns the namespace `tenant-<name>`. */
export type Tenant = ObjectOf<TenantSpec, z.output<typeof TenantStatus>>;

export const TenantKind = defineKind({
  kind: 'Tenant',
  plural: 'tenants',
  singular: 'tenant',
  shortNames: ['tn'],
  namespaced: false,
  description: 'A team. Its clusters live in the namespace tenant-<name>.',
  spec: TenantSpec,
  status: TenantStatus,
  columns: [
    { name: 'Display name', type: 'string', jsonPath: '.spec.displayName', description: 'Name for people.' },
    {
      name: 'Quota',
      type: 'integer',
      jsonPath: '.spec.quota.machines',
      description: 'Most machines of all clusters together.',
    },
    {
      name: 'Machines',
      type: 'integer',
      jsonPath: '.status.reserved.machines',
      description: 'Machines that the clusters hold of the quota.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
  ],
  rules: [
    {
      cel: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: 'a tenant is named by at most 40 lower-case letters, digits and dashes, with no dash at either end',
      fieldPath: '.metadata.name',
      check: ({ metadata }) => metadata.name.length <= 40 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(metadata.name),
    },
  ],
});
