import { z } from 'zod';
import { ConfigError, check, clockSchema, faultSchema, latencySchema, quotasSchema } from '../config.ts';
import type { SimulatorClock } from '../core/clock.ts';
import type { Mount } from '../core/http.ts';
import type { Answer, Call } from '../core/message.ts';
import type { Cloud } from '../openstack/cloud.ts';
import { body, ok } from './answer.ts';
import { failureHandlers } from './failures.ts';
import { resourceCounts } from './state.ts';

/**
 * The simulator's own API under /admin: faults, latency, quotas, clock, state, requests, reset.
 * It asks for no token: whoever reaches the port may steer the simulator.
 */
export function adminMount(cloud: Cloud, clock: SimulatorClock): Mount {
  const quotasBody = z.strictObject({
    default: quotasSchema.optional(),
    projects: z.record(z.string(), quotasSchema).optional(),
  });
  const quotas = () => ({
    default: Object.fromEntries(
      (['compute', 'network', 'volume', 'loadBalancer'] as const).map((area) => [area, cloud.quotas.defaults(area)]),
    ),
    projects: Object.fromEntries(
      Object.entries(cloud.quotas.own()).map(([id, own]) => [cloud.identity.projects.get(id)?.name ?? id, own]),
    ),
  });
  const handlers: Record<string, (call: Call) => Answer | Promise<Answer>> = {
    'GET /faults': () => ok({ faults: cloud.faults.list() }),
    'POST /faults': (call) => ok(cloud.faults.add(check(faultSchema, body(call), 'the fault rule')), 201),
    'PUT /faults': (call) => {
      const { faults } = check(z.strictObject({ faults: z.array(faultSchema) }), body(call), 'the list of fault rules');
      cloud.faults.remove();
      return ok({ faults: faults.map((f) => cloud.faults.add(f)) });
    },
    'DELETE /faults': () => {
      cloud.faults.remove();
      return { status: 204 };
    },
    ...failureHandlers(cloud),
    'GET /latency': () => ok(cloud.latency.setting),
    'PUT /latency': (call) => {
      cloud.latency.set(check(latencySchema, body(call), 'the latency setting'));
      return ok(cloud.latency.setting);
    },
    'GET /waits': () => ok({ waits: cloud.latency.waits ?? [] }),
    'PUT /waits': (call) => {
      const { record } = check(z.strictObject({ record: z.boolean() }), body(call), 'the record of waits');
      cloud.latency.waits = record ? [] : undefined;
      return ok({ record });
    },
    'GET /quotas': () => ok(quotas()),
    'PUT /quotas': (call) => {
      const given = check(quotasBody, body(call), 'the quotas');
      for (const name of Object.keys(given.projects ?? {})) {
        if (cloud.identity.projects.count('name', name) === 0)
          throw new ConfigError('the quotas', [`projects.${name}: there is no project of this name`]);
      }
      if (given.default) cloud.quotas.setDefaults(given.default);
      for (const [name, own] of Object.entries(given.projects ?? {})) {
        for (const project of cloud.identity.projects.by('name', name)) {
          for (const area of ['compute', 'network', 'volume', 'loadBalancer'] as const)
            cloud.quotas.set(area, project.id, own[area]);
        }
      }
      return ok(quotas());
    },
    'GET /clock': () => ok({ ...clock.setting, now: new Date(clock.now()).toISOString() }),
    'PUT /clock': (call) => {
      clock.set(check(clockSchema.partial(), body(call), 'the clock'));
      return ok({ ...clock.setting, now: new Date(clock.now()).toISOString() });
    },
    'POST /clock': async (call) => {
      const { advanceMs } = check(z.strictObject({ advanceMs: z.number().min(0) }), body(call), 'the clock');
      if (clock.setting.mode !== 'manual')
        throw new ConfigError('the clock', [
          'advanceMs: only a manual clock can be advanced; PUT {"mode":"manual"} first',
        ]);
      await clock.advance(advanceMs);
      return ok({ ...clock.setting, now: new Date(clock.now()).toISOString() });
    },
    'GET /state': () => ok(resourceCounts(cloud)),
    'GET /requests': () => ok({ requests: cloud.requests.list() }),
    'DELETE /requests': () => {
      cloud.requests.reset();
      return { status: 204 };
    },
    // Faults, latencies and counters as configured; the cloud's resources stay.
    'POST /reset': () => {
      cloud.faults.remove();
      cloud.kubernetes.faults.remove();
      cloud.registryFaults.remove();
      for (const rule of cloud.config.faults) cloud.faults.add(rule);
      cloud.latency.set(cloud.config.latency);
      cloud.requests.reset();
      return ok(resourceCounts(cloud));
    },
  };
  return {
    prefix: 'admin',
    async handle(call) {
      const one = /^\/(faults|api-faults|registry-faults)\/([^/]+)$/.exec(call.path);
      if (one && call.method === 'DELETE') {
        const rules = {
          faults: cloud.faults,
          'api-faults': cloud.kubernetes.faults,
          'registry-faults': cloud.registryFaults,
        };
        return rules[one[1] as keyof typeof rules].remove(one[2]!)
          ? { status: 204 }
          : ok({ error: `there is no fault rule ${one[2]}` }, 404);
      }
      const handler = handlers[`${call.method} ${call.path.replace(/\/$/, '')}`];
      if (!handler)
        return ok(
          {
            error: `there is no ${call.method} ${call.fullPath}`,
            paths: Object.keys(handlers).map((k) => k.replace(' ', ' /admin')),
          },
          404,
        );
      try {
        return await handler(call);
      } catch (error) {
        if (error instanceof ConfigError) return ok({ error: error.message, problems: error.problems }, 400);
        throw error;
      }
    },
  };
}
