import { type EmergencyStop, emergencyStopMessage } from '@shoto/api';
import type { FastifyInstance } from 'fastify';
import { requireAdmin } from '../auth/access.ts';
import type { ClusterDeps } from '../clusters.ts';
import { fleetStop, resumeFleet, StopRequest, stopFleet } from '../fleet.ts';
import { FleetStop, Problem } from './schemas.ts';
import type { InputTypes } from './types.ts';

const PATH = '/v1/fleet/emergency-stop';

const answerOf = (stop: EmergencyStop | undefined) =>
  stop
    ? { on: true, ...stop, message: emergencyStopMessage(stop) }
    : { on: false, message: 'the emergency stop of the fleet is off' };

/** The switch that stops every destructive step of the whole fleet. */
export function fleetRoutes(server: FastifyInstance, d: ClusterDeps): void {
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['fleet'];
  const response = { 200: FleetStop, default: Problem };
  app.get(PATH, { schema: { tags, summary: 'Read the emergency stop', response } }, async () =>
    answerOf(await fleetStop(d)),
  );
  app.put(
    PATH,
    {
      schema: {
        tags,
        summary: 'Stop the fleet',
        description:
          'Needs an administrator. From now on nothing is drained, rebooted, replaced or deleted in any cluster; making, joining and watching go on. Again: the reason is the new one, since when and by whom stay.',
        body: StopRequest,
        response,
      },
    },
    async (req) => {
      requireAdmin(req.user, 'stopping the fleet');
      const stop = await stopFleet(d, req.user.name, req.body);
      req.log.warn({ user: req.user.name, reason: stop.reason, since: stop.since }, 'fleet stopped');
      return answerOf(stop);
    },
  );
  app.delete(
    PATH,
    {
      schema: {
        tags,
        summary: 'Let the fleet go on',
        description: 'Needs an administrator. No error where it is off.',
        response,
      },
    },
    async (req) => {
      requireAdmin(req.user, 'letting the fleet go on');
      await resumeFleet(d);
      req.log.warn({ user: req.user.name }, 'fleet goes on');
      return answerOf(undefined);
    },
  );
}
