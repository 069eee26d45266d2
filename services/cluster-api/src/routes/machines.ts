import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { requireAdmin } from '../auth/access.ts';
import type { ClusterDeps } from '../clusters.ts';
import { forceMachine, KeepRequest, keepMachine, unkeepMachine } from '../machines.ts';
import { tenantOf } from '../tenants.ts';
import { slim } from './clusters.ts';
import { MachineObject, MachineParams, Problem } from './schemas.ts';
import type { InputTypes } from './types.ts';

/** What may be asked of one machine. */
export function machineRoutes(server: FastifyInstance, d: ClusterDeps): void {
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['machines'];
  const response = { 200: MachineObject, default: Problem };
  const path = '/v1/tenants/:tenant/clusters/:cluster/machines/:machine';
  /** Who did what to which machine: these are few, and somebody will ask. */
  const answer = (
    req: FastifyRequest<{ Params: { tenant: string; cluster: string; machine: string } }>,
    reply: FastifyReply,
    machine: { metadata: object },
    what: string,
  ) => {
    req.log.info({ ...req.params, user: req.user.name }, what);
    return reply.send(slim(machine));
  };
  app.post(
    `${path}/keep`,
    {
      schema: {
        tags,
        summary: 'Keep a machine for study',
        description:
          'Takes a worker out of service (cordoned, drained) and leaves its server alone until the time given, when it goes; its pool gets another machine. Again: changes time and reason.',
        params: MachineParams,
        body: KeepRequest.optional(),
        response,
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const machine = await keepMachine(d, { ...req.params, user: req.user.name, body: req.body });
      return answer(req, reply, machine, 'machine kept');
    },
  );
  app.delete(
    `${path}/keep`,
    {
      schema: {
        tags,
        summary: 'Put a kept machine back into service',
        description: 'Safe to repeat. Its pool has one too many then, and lets one go.',
        params: MachineParams,
        response,
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      return answer(req, reply, await unkeepMachine(d, req.params), 'machine kept no more');
    },
  );
  app.post(
    `${path}/force`,
    {
      schema: {
        tags,
        summary: 'Force a leaving machine out',
        description:
          'Needs an administrator. Its drain and its node are skipped: pods that still run there are cut off. The server and what it holds in the cloud go as always.',
        params: MachineParams,
        response,
      },
    },
    async (req, reply) => {
      requireAdmin(req.user, 'forcing a machine out');
      await tenantOf(d, req.user, req.params.tenant);
      return answer(req, reply, await forceMachine(d, { ...req.params, user: req.user.name }), 'machine forced out');
    },
  );
}
