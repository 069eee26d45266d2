import { createServer, type Server } from 'node:https';
import { InvalidObjectError } from '@shoto/api';
import type { Logger } from '@shoto/service';
import { type CheckDeps, checkAsked, checkCluster, type StoredCluster } from './check.ts';
import { reservedProblems } from './metadata.ts';
import { namespaceProblem } from './references.ts';
import { warningsOf } from './warnings.ts';

interface Review {
  apiVersion: string;
  kind: string;
  request?: {
    uid: string;
    operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
    subResource?: string;
    namespace?: string;
    /** Who asked the API server. */
    userInfo?: { username?: string };
    object?: { metadata: Metadata; spec: unknown };
    oldObject?: StoredCluster & { metadata: Metadata };
  };
}

interface Metadata {
  name: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** Services of Shoto are users of that name on the management cluster. */
const isService = (username: string | undefined): boolean => username?.startsWith('shoto:') ?? false;

/** Longest review that is read, in bytes; an API server sends old and new object. */
const LIMIT = 4 * 1024 * 1024;

/** The verdict on one AdmissionReview (admission.k8s.io/v1): the same as the REST API gives. Pure but for the catalogue and the question for quotas. */
export async function reviewCluster(d: CheckDeps, review: Review): Promise<object> {
  const request = review.request;
  const answer = (allowed: boolean, more: { status?: object; warnings?: string[] } = {}) => ({
    apiVersion: review.apiVersion,
    kind: review.kind,
    response: { uid: request?.uid ?? '', allowed, ...more },
  });
  if (!request?.object || request.subResource || (request.operation !== 'CREATE' && request.operation !== 'UPDATE'))
    return answer(true);
  const { object, oldObject } = request;
  // Finalizers must always be removable, and labels are nobody's harm: only the spec is judged.
  if (
    oldObject &&
    (object.metadata.deletionTimestamp || JSON.stringify(object.spec) === JSON.stringify(oldObject.spec))
  )
    return answer(true);
  try {
    const service = isService(request.userInfo?.username);
    const problems = [
      ...namespaceProblem(request.namespace),
      ...(service ? [] : reservedProblems(object.metadata, oldObject?.metadata)),
    ];
    if (problems.length > 0) throw new InvalidObjectError('Cluster', object.metadata.name, problems);
    const wanted = { metadata: { ...object.metadata, namespace: request.namespace }, spec: object.spec };
    // What cluster-api writes itself it has asked about already.
    if (service) {
      checkCluster(d, wanted, oldObject);
      return answer(true);
    }
    const warnings = warningsOf((await checkAsked(d, wanted, oldObject)).spec);
    return answer(true, warnings.length > 0 ? { warnings } : {});
  } catch (e) {
    if (!(e instanceof InvalidObjectError)) throw e;
    return answer(false, {
      status: {
        code: 422,
        reason: 'Invalid',
        message: e.problems.map((p) => `${p.field}: ${p.message}`).join('; '),
        details: {
          name: object.metadata.name,
          kind: 'Cluster',
          causes: e.problems.map((p) => ({ reason: `FieldValue${p.reason}`, field: p.field, message: p.message })),
        },
      },
    });
  }
}

/** Serves the admission webhook at /admission/clusters. The API server verifies us; it needs no credentials of its own. */
export function createWebhook(d: CheckDeps, o: { cert: string; key: string; log: Logger }): Server {
  return createServer({ cert: o.cert, key: o.key }, (req, res) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (c: Buffer) => {
      size += c.length;
      if (size > LIMIT) req.destroy();
      else chunks.push(c);
    });
    req.on('end', async () => {
      try {
        if (req.method !== 'POST' || req.url?.split('?')[0] !== '/admission/clusters')
          return void res.writeHead(404).end();
        const review = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Review;
        const verdict = await reviewCluster(d, review);
        res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(verdict));
      } catch (err) {
        o.log.error({ err }, 'admission review failed');
        res.writeHead(500).end();
      }
    });
  });
}
