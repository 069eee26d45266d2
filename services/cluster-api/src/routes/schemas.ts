import {
  AddonBundleSpec,
  AddonRegistrySpec,
  AddonSpec,
  ClusterSpec,
  ClusterTemplateSpec,
  Condition,
  KubernetesReleaseSpec,
  MachineSpec,
  RegionSpec,
  TenantSpec,
} from '@shoto/api';
import { z } from 'zod';

const Meta = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
});
const object = <T extends z.ZodType>(spec: T) =>
  z.looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: Meta,
    spec,
    status: z.looseObject({ conditions: z.array(Condition).optional() }).optional(),
  });
const list = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    continue: z.string().optional().describe('Give it as ?continue= for the next page; absent on the last one.'),
  });

/** A problem as RFC 9457 describes it. */
const ProblemDocument = z.object({
  type: z.string().describe('URI of the kind of problem.'),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe('What is wrong and what to do.'),
  reason: z.string().describe('CamelCase, for programs.'),
  errors: z
    .array(z.object({ field: z.string(), message: z.string(), reason: z.string().optional() }))
    .optional()
    .describe('What is wrong with which field.'),
});

/** The answer where something is wrong, of every route. */
export const Problem = {
  description: 'A problem, as RFC 9457 describes it.',
  content: { 'application/problem+json': { schema: ProblemDocument } },
};

export const ClusterObject = object(ClusterSpec);
export const ClusterList = list(ClusterObject);
export const MachineObject = object(MachineSpec);
export const MachineList = list(MachineObject);
export const RegionObject = object(
  RegionSpec.partial({ openstack: true }).describe('Without `openstack` where the asker is no administrator.'),
);
export const RegionList = list(RegionObject);
export const ReleaseObject = object(KubernetesReleaseSpec);
export const ReleaseList = list(ReleaseObject);
export const TemplateObject = object(ClusterTemplateSpec);
export const TemplateList = list(TemplateObject);
export const TenantObject = object(TenantSpec);
export const TenantList = list(TenantObject);

export const AddonObject = object(AddonSpec);
export const AddonList = list(AddonObject);
export const AddonBundleObject = object(AddonBundleSpec);
export const AddonBundleList = list(AddonBundleObject);
export const AddonRegistryObject = object(
  AddonRegistrySpec.omit({ credentialsSecretRef: true }).describe('Where its credentials lie is not told.'),
);
export const AddonRegistryList = list(AddonRegistryObject);

/** What is sent to make a cluster. Fields that a template presets may be left out. */
export const ClusterCreate = z.object({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: z.object({
    name: z.string().describe('Name of the cluster.'),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  spec: ClusterSpec.partial().describe('What is wanted; what a template presets may be left out.'),
});
export const TenantCreate = z.object({
  metadata: z.object({ name: z.string().describe('Name of the tenant.') }),
  spec: TenantSpec,
});
export const ClusterPatch = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string().nullable()).optional() }).optional(),
  spec: ClusterSpec.partial().optional(),
});

export const ClusterSpecPatch = ClusterSpec.partial().describe(
  'Merge patch of the spec; a list is replaced as a whole, so every pool that shall stay must be in it.',
);
export const FleetStop = z.object({
  on: z.boolean(),
  reason: z.string().optional().describe('Why, where it is on.'),
  by: z.string().optional().describe('Who stopped it.'),
  since: z.string().optional().describe('RFC 3339.'),
  message: z.string().describe('All of it in one line, for people.'),
});

const header = (text: string) => z.string().max(1024).optional().describe(text);
// Loose: every other header stays.
export const IdempotencyKey = z.looseObject({
  'idempotency-key': header('Any text, new for each cluster: a request that is repeated with it makes nothing twice.'),
});
export const IfMatch = z.looseObject({
  'if-match': header('ETag that the change is for; refused with 412 if there is a newer one.'),
});
export const IfNoneMatch = z.looseObject({
  'if-none-match': header('ETag that is known already; answered with 304 if it still holds.'),
});

export const NameParams = z.object({ name: z.string().min(1).max(253).describe('Its name.') });
export const TenantParams = z.object({ tenant: z.string().min(1).max(40).describe('Name of the tenant.') });
export const ClusterParams = TenantParams.extend({
  cluster: z.string().min(1).max(253).describe('Name of the cluster.'),
});
export const MachineParams = ClusterParams.extend({
  machine: z.string().min(1).max(253).describe('Name of the machine.'),
});
export const AddonParams = ClusterParams.extend({
  addon: z.string().min(1).max(63).describe('Name of the addon.'),
});
export const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).optional().describe('Most objects a page; 500 where absent.'),
  continue: z.string().max(4096).optional().describe('Where the last page ended.'),
  labelSelector: z.string().max(1024).optional().describe('As of kubectl -l.'),
});
export const DryRun = z.object({ dryRun: z.stringbool().optional().describe('Check everything and change nothing.') });
export const CreateQuery = DryRun.extend({
  template: z
    .string()
    .max(253)
    .optional()
    .describe('ClusterTemplate to take defaults from; the one named default where absent.'),
});

export const ProgressObject = z.object({
  cluster: z.string(),
  ready: z.boolean(),
  deleting: z.boolean(),
  generation: z.int().optional().describe('metadata.generation of the cluster that this is about.'),
  settled: z
    .boolean()
    .describe(
      'Whether everything is as the spec asks for: every count, every release, nothing to be replaced or to go.',
    ),
  stuck: z
    .string()
    .optional()
    .describe('All but this is as the spec asks for, and it does not go on before somebody does something.'),
  message: z.string(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['waiting', 'running', 'done', 'failed']),
      message: z.string(),
      since: z.string().optional(),
    }),
  ),
  machines: z
    .array(
      z.object({
        name: z.string(),
        pool: z.string(),
        server: z.string().describe('What the cloud says of it; Pending before it has one, Deleting when it goes.'),
        state: z.enum(['waiting', 'running', 'done', 'failed']),
        message: z.string().describe('What it does or waits for.'),
        steps: z
          .array(
            z.object({
              name: z.string(),
              state: z.enum(['running', 'done', 'failed']),
              startedAt: z.string().describe("RFC 3339, by the machine's clock."),
              seconds: z.number().min(0).optional().describe('How long it took; absent while it runs.'),
            }),
          )
          .describe(
            'In order of time: what runs now and ran in the last minute; of older ones those that failed or took over 10 s.',
          ),
      }),
    )
    .describe('Each machine of the cluster, by name.'),
});
export const EventList = z.object({
  items: z.array(
    z.object({
      time: z.string(),
      type: z.string(),
      reason: z.string(),
      object: z.string(),
      message: z.string(),
      count: z.int(),
    }),
  ),
});
export const KubeconfigRequest = z.strictObject({
  seconds: z.int().min(60).max(86400).default(3600).describe('How long it is good for.'),
});
export const KubeconfigAnswer = z.object({ kubeconfig: z.string(), expiresAt: z.string() });
