import { parse } from 'yaml';
import { z } from 'zod';
import { CURES, NODE_FAULTS } from './core/faults.ts';
import { OPERATIONS } from './registry/faults.ts';

const milliseconds = z.number().min(0).describe('Milliseconds.');

/** A latency: median and shape of a log-normal. */
export const delaySchema = z.strictObject({ medianMs: milliseconds, spread: z.number().min(0).max(3).default(0.3) });

/** The whole latency setting. */
export const latencySchema = z.strictObject({
  profile: z.enum(['none', 'realistic']).default('none').describe('Where every operation starts from.'),
  operations: z
    .record(z.string(), delaySchema)
    .default({})
    .describe('By operation, or by prefix with a star: nova.server.boot, neutron.*'),
});

const regex = z.string().refine(isRegex, { error: 'is not a regular expression' });

const nodeFault = {
  fault: z.enum(NODE_FAULTS),
  forMs: milliseconds.optional().describe('It ends by itself.'),
  curedBy: z.enum(CURES).optional(),
};

/** Which machines are to fail, and how. */
export const nodeFaultSchema = z
  .strictObject({
    server: z.string().min(1).optional().describe('Name or id.'),
    zone: z.string().min(1).optional().describe('All servers of a zone.'),
    host: z.string().min(1).optional().describe('All servers on a host, or the hash that projects see of it.'),
    share: z.number().gt(0).max(1).default(1).describe('A part of them, drawn by chance.'),
    ...nodeFault,
  })
  .refine((f) => [f.server, f.zone, f.host].filter((v) => v !== undefined).length === 1, {
    error: 'exactly one of server, zone and host says which machines',
  });

/** How often a fault strikes, and for how long. */
const faultLimits = {
  rate: z.number().min(0).max(1).optional(),
  count: z.number().int().min(0).optional(),
  after: z.number().int().min(0).optional(),
  forMs: milliseconds.optional(),
};

/** What can go wrong with any request over HTTP. */
const httpFaults = [
  z.strictObject({ type: z.literal('delay'), ms: milliseconds }),
  z.strictObject({
    type: z.literal('status'),
    status: z.number().int().min(400).max(599),
    message: z.string().optional(),
    retryAfter: z.number().int().min(0).optional(),
  }),
  z.strictObject({ type: z.literal('hang') }),
  z.strictObject({ type: z.literal('reset') }),
  z.strictObject({ type: z.literal('lostAnswer') }),
] as const;

/** A fault rule of a Kubernetes API, without or with an id. */
export const apiFaultSchema = z.strictObject({
  id: z.string().min(1).optional(),
  match: z
    .strictObject({
      cluster: z.string().min(1).optional(),
      verb: z.enum(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']).optional(),
      resource: z.string().min(1).optional(),
      user: regex.optional(),
    })
    .default({}),
  ...faultLimits,
  action: z.discriminatedUnion('type', httpFaults),
});

/** A fault rule of the registry, without or with an id. */
export const registryFaultSchema = z.strictObject({
  id: z.string().min(1).optional(),
  match: z
    .strictObject({
      operation: z.enum(OPERATIONS).optional(),
      repository: regex.optional(),
      reference: z.string().min(1).optional(),
    })
    .default({}),
  ...faultLimits,
  action: z.discriminatedUnion('type', [
    ...httpFaults,
    z.strictObject({ type: z.literal('cut'), afterBytes: z.number().int().min(0) }),
    z.strictObject({ type: z.literal('corrupt') }),
  ]),
});

/** The way to a workload cluster's API that is to be cut. */
export const cutSchema = z
  .strictObject({
    cluster: z.string().min(1).optional().describe("A cluster's name: all its outside addresses."),
    address: z.string().min(1).optional(),
    how: z.enum(['hang', 'refuse']).default('hang'),
    forMs: milliseconds.optional(),
  })
  .refine((c) => (c.cluster === undefined) !== (c.address === undefined), {
    error: 'exactly one of cluster and address says which way',
  });

/** Deprecated APIs that somebody is to have asked for. */
export const deprecatedSchema = z.strictObject({
  cluster: z.string().min(1),
  /** The machine whose API server alone was asked; without it all were. */
  machine: z.string().min(1).optional(),
  apis: z
    .array(
      z.strictObject({
        group: z.string(),
        version: z.string().min(1),
        resource: z.string().min(1),
        subresource: z.string().default(''),
        removedRelease: z.string().default(''),
      }),
    )
    .min(1),
});

/** A fault rule, without or with an id. */
export const faultSchema = z.strictObject({
  id: z.string().min(1).optional(),
  match: z
    .strictObject({
      service: z.enum(['keystone', 'nova', 'neutron', 'glance', 'cinder', 'octavia', 'placement']).optional(),
      method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).optional(),
      path: regex.optional(),
      operation: z.string().optional(),
      name: regex.optional(),
      metadata: z.record(z.string(), z.string()).optional(),
      tag: z.string().optional(),
    })
    .default({}),
  rate: z.number().min(0).max(1).optional(),
  count: z.number().int().min(0).optional(),
  after: z.number().int().min(0).optional(),
  action: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('status'),
      status: z.number().int().min(200).max(599),
      body: z.unknown().optional(),
      retryAfter: z.number().min(0).optional(),
    }),
    z.strictObject({ type: z.literal('lostAnswer') }),
    z.strictObject({ type: z.literal('lateDeed'), afterMs: milliseconds }),
    z.strictObject({ type: z.literal('hang') }),
    z.strictObject({ type: z.literal('serverError'), message: z.string().min(1) }),
    z.strictObject({ type: z.literal('node'), ...nodeFault, afterMs: milliseconds.default(0) }),
  ]),
});

const limit = z.number().int().min(-1).describe('-1 is unlimited.');

/** Quotas: of every project that has no own, or of one. Names as the services have them. */
export const quotasSchema = z.strictObject({
  compute: z.record(z.string(), limit).default({}),
  network: z.record(z.string(), limit).default({}),
  volume: z.record(z.string(), limit).default({}),
  loadBalancer: z.record(z.string(), limit).default({}),
});

/** How time runs. */
export const clockSchema = z.strictObject({
  mode: z.enum(['real', 'manual']).default('real'),
  speed: z.number().positive().max(10_000).default(1).describe('Simulated milliseconds per real one.'),
});

const cidr = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, { error: 'is not an IPv4 range such as 127.77.3.0/24' });

/** Everything the OpenStack half is told. Every field has a default. */
export const openStackConfigSchema = z.strictObject({
  listen: z
    .strictObject({ address: z.string().default('127.0.0.1'), port: z.number().int().min(0).max(65535).default(0) })
    .prefault({}),
  seed: z.union([z.string(), z.number()]).default(1),
  region: z.string().min(1).default('RegionOne'),
  tokenSeconds: z.number().int().positive().default(3600).describe('How long a token is good for.'),
  users: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        password: z.string().min(1),
        project: z.string().min(1),
        roles: z.array(z.enum(['admin', 'manager', 'member', 'reader', 'service'])).default(['member']),
      }),
    )
    .default([
      { name: 'admin', password: 'admin', project: 'admin', roles: ['admin'] },
      { name: 'shoto', password: 'shoto', project: 'shoto', roles: ['member'] },
    ])
    .describe('Users, each with a project that is made if there is none of that name.'),
  externalNetwork: z
    .strictObject({
      name: z.string().default('public'),
      cidr: cidr
        .default('127.77.0.0/24')
        .describe('A free slice of 127.0.0.0/8: floating addresses are real ones of this host.'),
    })
    .prefault({}),
  zones: z
    .array(z.strictObject({ name: z.string().min(1), hosts: z.number().int().positive().default(8) }))
    .min(1)
    .default([
      { name: 'az1', hosts: 8 },
      { name: 'az2', hosts: 8 },
      { name: 'az3', hosts: 8 },
    ]),
  flavors: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        vcpus: z.number().int().positive(),
        ramMiB: z.number().int().positive(),
        diskGiB: z.number().int().min(0),
        id: z.string().optional(),
        extraSpecs: z.record(z.string(), z.string()).default({}),
      }),
    )
    .default([
      { id: '1', name: 'm1.tiny', vcpus: 1, ramMiB: 512, diskGiB: 1, extraSpecs: {} },
      { id: '2', name: 'm1.small', vcpus: 1, ramMiB: 2048, diskGiB: 20, extraSpecs: {} },
      { id: '3', name: 'm1.medium', vcpus: 2, ramMiB: 4096, diskGiB: 40, extraSpecs: {} },
      { id: '4', name: 'm1.large', vcpus: 4, ramMiB: 8192, diskGiB: 80, extraSpecs: {} },
      { id: '5', name: 'm1.xlarge', vcpus: 8, ramMiB: 16384, diskGiB: 160, extraSpecs: {} },
    ]),
  images: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        id: z.uuid().optional(),
        properties: z.record(z.string(), z.string()).default({}),
        minDiskGiB: z.number().int().min(0).default(0),
        minRamMiB: z.number().int().min(0).default(0),
        sizeBytes: z
          .number()
          .int()
          .min(0)
          .default(16 * 1024 * 1024),
      }),
    )
    .default([
      ...['v1.35.4', 'v1.34.6', 'v1.36.3', 'v1.37.0'].map((version) => ({
        name: `node-${version}`,
        properties: nodeImage(version),
        minDiskGiB: 10,
        minRamMiB: 1024,
        sizeBytes: 1_610_612_736,
      })),
      {
        name: 'debian-12',
        properties: { os_distro: 'debian', os_version: '12' },
        minDiskGiB: 2,
        minRamMiB: 256,
        sizeBytes: 343_932_928,
      },
      {
        name: 'cirros-0.6.2-x86_64-disk',
        properties: { os_distro: 'cirros', hw_rng_model: 'virtio' },
        minDiskGiB: 0,
        minRamMiB: 0,
        sizeBytes: 21_430_272,
      },
    ]),
  latency: latencySchema.prefault({}),
  clock: clockSchema.prefault({}),
  faults: z.array(faultSchema).default([]),
  quotas: z
    .strictObject({
      default: quotasSchema
        .prefault({})
        .describe("Of every project; names that are missing keep OpenStack's defaults."),
      projects: z.record(z.string(), quotasSchema).default({}).describe('By project name.'),
    })
    .prefault({}),
  softDelete: z.boolean().default(false).describe('Deleted servers stay as SOFT_DELETED until they are force-deleted.'),
});

/** The OpenStack half's configuration, complete. */
export type OpenStackConfig = z.infer<typeof openStackConfigSchema>;

/** A configuration that cannot be used: `problems` names every field. */
export class ConfigError extends Error {
  readonly problems: string[];
  constructor(source: string, problems: string[]) {
    super(`${source} is not a usable configuration:\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Checks a configuration object; throws {@link ConfigError} with all problems at once. */
export function checkOpenStackConfig(value: unknown, source = 'the given object'): OpenStackConfig {
  return check(openStackConfigSchema, value ?? {}, source);
}

/** Reads a configuration from YAML (or JSON) text; throws {@link ConfigError}. */
export function parseOpenStackConfig(text: string, source: string): OpenStackConfig {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new ConfigError(source, [
      `is not YAML: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
    ]);
  }
  return checkOpenStackConfig(value, source);
}

/** Checks any of the schemas here the same way. */
export function check<T extends z.ZodType>(schema: T, value: unknown, source: string): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(
    source,
    result.error.issues.map(
      (issue) =>
        `${
          issue.path
            .map((p) => (typeof p === 'number' ? `[${p}]` : `.${String(p)}`))
            .join('')
            .replace(/^\./, '') || '(root)'
        }: ${issue.message}`,
    ),
  );
}

function nodeImage(version: string): Record<string, string> {
  return {
    os_distro: 'debian',
    os_version: '12',
    kubernetes_version: version,
    containerd_version: '2.1.4',
    architecture: 'x86_64',
  };
}

function isRegex(text: string): boolean {
  try {
    return Boolean(new RegExp(text));
  } catch {
    return false;
  }
}
