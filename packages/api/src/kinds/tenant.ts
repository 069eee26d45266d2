import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';

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
export const TenantStatus = z.object({}).prefault({});

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
