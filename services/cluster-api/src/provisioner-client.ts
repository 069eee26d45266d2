import { ChangePlan, type ClusterSpec } from '@shoto/api';
import { z } from 'zod';
import { type InternalFiles, internalAgent, postJson } from './internal-agent.ts';

/** Machines that are to be made, by flavor as the Cluster names it. */
export interface FlavorNeed {
  flavor: string;
  count: number;
}

/** What the cloud's quotas leave of one thing. */
const Resource = z.object({
  name: z.string(),
  needed: z.number(),
  left: z.number().nullable(),
  used: z.number().optional(),
  limit: z.number().nullable().optional(),
});
const Capacity = z.object({ resources: z.array(Resource) });
/** How far the project's quotas in a region go; `left` is null where there is no limit. */
export type Capacity = z.output<typeof Capacity>;

/** The provisioner's internal API, as far as cluster-api may ask it. */
export interface ProvisionerClient {
  /**
   * What a change of a Cluster's spec would do.
   *
   * @throws where it is not told
   */
  plan(namespace: string, name: string, spec: ClusterSpec): Promise<ChangePlan>;
  /**
   * Whether a region's quotas carry more machines.
   *
   * @throws where it is not told within two seconds
   */
  capacity(region: string, machines: FlavorNeed[]): Promise<Capacity>;
  close(): Promise<void>;
}

/** Advice is worth no more waiting than this, in milliseconds. */
const CAPACITY_TIMEOUT_MS = 2000;
/** A plan looks at every machine and may ask the cloud. */
const PLAN_TIMEOUT_MS = 10_000;

/** Speaks mutual TLS with the provisioner. */
export function createProvisionerClient(o: { url: string } & InternalFiles): ProvisionerClient {
  const agent = internalAgent(o);
  const post = <T extends z.ZodType>(path: string, body: object, schema: T, timeoutMs: number) =>
    postJson(agent, new URL(path, o.url), body, schema, timeoutMs);
  return {
    plan: (namespace, name, spec) =>
      post(
        `/internal/v1/clusters/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/plan`,
        { spec },
        ChangePlan,
        PLAN_TIMEOUT_MS,
      ),
    capacity: (region, machines) =>
      post(
        `/internal/v1/regions/${encodeURIComponent(region)}/capacity`,
        { needs: { machines } },
        Capacity,
        CAPACITY_TIMEOUT_MS,
      ),
    close: () => agent.close(),
  };
}
