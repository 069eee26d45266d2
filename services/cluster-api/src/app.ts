import { readFileSync } from 'node:fs';
import swagger from '@fastify/swagger';
import type { Logger, Registry } from '@shoto/service';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Authenticator, User } from './auth/access.ts';
import type { BootstrapClient } from './bootstrap-client.ts';
import type { ClusterDeps } from './clusters.ts';
import { timeRequests } from './metrics.ts';
import { ProblemError, problemOf, toProblem } from './problem.ts';
import { addonRoutes } from './routes/addons.ts';
import { catalogueRoutes } from './routes/catalogue.ts';
import { clusterRoutes } from './routes/clusters.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { lifeRoutes } from './routes/life.ts';
import { machineRoutes } from './routes/machines.ts';
import { planRoutes } from './routes/plan.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set before any route runs. */
    user: User;
  }
}

/** Largest body that is read, in bytes: a Cluster is a few kilobytes. */
const BODY_LIMIT = 1024 * 1024;
/** Up to so many bytes of a body that is too large are taken in and thrown away, so that its sender reads our answer. */
const DRAIN_LIMIT = 32 * BODY_LIMIT;
const OPEN = ['/openapi.json', '/v1/version'];
const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

/** The REST API, ready to listen. */
export async function createApp(o: {
  deps: ClusterDeps;
  auth: Authenticator;
  bootstrap: BootstrapClient;
  log: Logger;
  tls?: { cert: string; key: string } | undefined;
  /** Where the time of requests is counted, by route and status. */
  metrics?: Registry | undefined;
}): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: o.log as unknown as FastifyBaseLogger,
    bodyLimit: BODY_LIMIT,
    // One line a request is the access log's business, not ours: what changes something is logged by its route.
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    ...(o.tls ? { https: o.tls } : {}),
  } as object) as unknown as FastifyInstance;
  // Bodies are checked by the kind's own parser, which names every problem; parameters by their zod schema.
  app.setValidatorCompiler(({ schema, httpPart }) => {
    if (httpPart === 'body' || !(schema instanceof z.ZodType)) return (value: unknown) => ({ value });
    return (value: unknown) => {
      const r = schema.safeParse(value);
      if (r.success) return { value: r.data };
      const errors = r.error.issues.map((i) => ({ field: i.path.map(String).join('.'), message: i.message }));
      return {
        error: new ProblemError(400, 'BadRequest', errors.map((e) => `${e.field}: ${e.message}`).join('; '), errors),
      };
    };
  });
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  // A DELETE with a content type and no body is no mistake: many clients send one.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'string' },
    (_req, body, done) => {
      try {
        done(null, body === '' ? undefined : JSON.parse(body as string));
      } catch (e) {
        done(new ProblemError(400, 'BadRequest', `the body is not JSON: ${(e as Error).message}`), undefined);
      }
    },
  );
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Shoto', version, description: 'Clusters as a service: whole Kubernetes clusters by API.' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  });
  app.decorateRequest('user', undefined as unknown as User);
  app.addHook('onRequest', async (req) => {
    if (OPEN.includes(req.url.split('?')[0]!)) return;
    const token = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
    if (!token)
      throw new ProblemError(
        401,
        'Unauthorized',
        'no token was sent: set SHOTO_TOKEN, or send Authorization: Bearer <token>',
      );
    req.user = await o.auth.authenticate(token);
    if (!o.deps.store.synced())
      throw new ProblemError(503, 'Starting', 'the management cluster is not read yet: try again', [], 2);
  });
  if (o.metrics) timeRequests(app, o.metrics);
  app.addHook('preParsing', async (req, _reply, payload) => {
    const length = Number(req.headers['content-length'] ?? 0);
    if (length <= BODY_LIMIT || length > DRAIN_LIMIT) return payload;
    for await (const _ of payload);
    throw new ProblemError(413, 'TooLarge', 'the body is larger than 1 MiB: a cluster needs a few kilobytes');
  });
  app.setErrorHandler((error, req, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) req.log.error({ err: error, method: req.method, url: req.url }, 'request failed');
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
    if (problem.retryAfterSeconds) reply.header('retry-after', String(problem.retryAfterSeconds));
    return reply.status(problem.status).type('application/problem+json').send(problemOf(problem));
  });
  app.setNotFoundHandler((req, reply) =>
    reply
      .status(404)
      .type('application/problem+json')
      .send(
        problemOf(
          new ProblemError(
            404,
            'NotFound',
            `${req.method} ${req.url.split('?')[0]} is not part of this API: see /openapi.json`,
          ),
        ),
      ),
  );
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  app.get(
    '/v1/version',
    {
      schema: {
        tags: ['meta'],
        summary: 'Version of the server',
        response: { 200: z.object({ version: z.string() }) },
      },
    },
    async () => ({ version }),
  );
  const onAdviceError = (err: unknown) => o.log.warn({ err }, 'a service that is asked for advice does not answer');
  const deps: ClusterDeps = { onAdviceError, ...o.deps };
  clusterRoutes(app, deps);
  planRoutes(app, deps, o.bootstrap);
  machineRoutes(app, deps);
  addonRoutes(app, deps);
  fleetRoutes(app, deps);
  catalogueRoutes(app, deps);
  lifeRoutes(app, deps, o.bootstrap, o.log);
  return app;
}
