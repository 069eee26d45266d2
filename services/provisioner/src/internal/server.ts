import type { IncomingMessage } from 'node:http';
import { type ChangePlan, ClusterSpec } from '@shoto/api';
import { ReconcileError } from '@shoto/reconciler';
import { HttpProblem, type InternalServer, type Logger, readJson, serveInternal } from '@shoto/service';
import { z } from 'zod';
import type { Capacity } from './capacity.ts';

/** A spec has at most 32 pools; each is far below this. */
const MAX_BODY = 256 * 1024;
/** The one service that may ask. */
const CALLER = 'cluster-api';
/** After this an answer is of no use to whoever waits for it. */
const ANSWER_MS = 15_000;

const PlanRequest = z.object({ spec: ClusterSpec });
const CapacityRequest = z.object({
  needs: z.object({
    machines: z.array(z.object({ flavor: z.string().min(1).max(255), count: z.int().min(0).max(100_000) })).max(64),
  }),
});

/** What cluster-api may ask for. */
export interface InternalDeps {
  /** What a change of a Cluster's spec would do; undefined: there is no such Cluster. */
  plan: (
    cluster: { namespace: string; name: string },
    spec: ClusterSpec,
    signal: AbortSignal,
  ) => Promise<ChangePlan | undefined>;
  /** What the quotas of a region's project leave. @throws {ReconcileError} it cannot be told */
  capacity: (region: string, machines: { flavor: string; count: number }[], signal: AbortSignal) => Promise<Capacity>;
  log: Logger;
}

function parsed<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const words = result.error.issues.map((i) => `${i.path.join('.') || 'body'}: ${i.message}`).join('; ');
  throw new HttpProblem(422, 'InvalidRequest', words, { field: first?.path.join('.') });
}

const PATHS = [
  { at: /^\/internal\/v1\/clusters\/([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})\/plan$/, what: 'plan' },
  { at: /^\/internal\/v1\/regions\/([a-z0-9.-]{1,253})\/capacity$/, what: 'capacity' },
] as const;

/**
 * Serves plans of changes and what quotas leave to cluster-api, over mutual TLS: the caller's certificate must come from the internal CA, and its CN
 * says who asks. Only reads: nothing is changed by any call.
 *
 * @param own - PEM of this service's certificate and key
 * @param ca - PEM of the internal CA
 * @throws when the address cannot be bound
 */
export async function startInternalServer(
  o: { host: string; port: number; own: { certificate: string; key: string }; ca: string } & InternalDeps,
): Promise<InternalServer> {
  const route = async (req: IncomingMessage, caller: string | undefined): Promise<unknown> => {
    const path = (req.url ?? '').split('?')[0] ?? '';
    const found = PATHS.flatMap(({ at, what }) => {
      const match = at.exec(path);
      return match ? [{ what, parts: match.slice(1) }] : [];
    })[0];
    if (!found || req.method !== 'POST') throw new HttpProblem(404, 'NotFound', 'no such path');
    if (caller !== CALLER) throw new HttpProblem(403, 'Forbidden', `only ${CALLER} may ask for this, not ${caller}`);
    const signal = AbortSignal.timeout(ANSWER_MS);
    const [first = '', second = ''] = found.parts;
    const body = await readJson(req, MAX_BODY);
    if (found.what === 'capacity') return await o.capacity(first, parsed(CapacityRequest, body).needs.machines, signal);
    const plan = await o.plan({ namespace: first, name: second }, parsed(PlanRequest, body).spec, signal);
    if (!plan) throw new HttpProblem(404, 'ClusterUnknown', `there is no cluster ${first}/${second}`);
    return plan;
  };

  return await serveInternal({
    ...o,
    service: 'provisioner',
    variable: 'SHOTO_PROVISIONER_ADDRESS',
    route,
    // A name that is wrong is the asker's to mend, all else may go away.
    problemOf: (e) =>
      e instanceof ReconcileError ? new HttpProblem(e.kind === 'terminal' ? 422 : 503, e.reason, e.message) : undefined,
  });
}
