import { createHash } from 'node:crypto';
import type { z } from 'zod';
import {
  apiFaultSchema,
  ConfigError,
  check,
  cutSchema,
  deprecatedSchema,
  nodeFaultSchema,
  registryFaultSchema,
} from '../config.ts';
import type { Timer } from '../core/clock.ts';
import type { Answer, Call } from '../core/message.ts';
import type { Cloud } from '../openstack/cloud.ts';
import { failMachine } from '../openstack/compute/lifecycle.ts';
import type { Server } from '../openstack/compute/state.ts';
import { body, ok } from './answer.ts';

/** Calls of the admin API that let machines, Kubernetes APIs, the way to them and the registry fail. */
export function failureHandlers(cloud: Cloud): Record<string, (call: Call) => Answer> {
  const { faults } = cloud.kubernetes;
  const cuts = new Map<string, { how: 'hang' | 'refuse'; timer: Timer | undefined }>();
  const machines = () => {
    if (!cloud.kubernetes.machines)
      throw new ConfigError('the order', ['(root): no machines run here; start the simulator with machines.enabled']);
    return cloud.kubernetes.machines;
  };
  const mend = (address: string): void => {
    cuts.get(address)?.timer?.cancel();
    cuts.delete(address);
    machines().cut(address, undefined);
  };
  return {
    'POST /node-faults': (call) => {
      const given = check(nodeFaultSchema, body(call), 'the node fault');
      const servers = chosen(cloud, given);
      for (const s of servers) failMachine(cloud, s, given);
      return ok({ servers: servers.map((s) => s.id) }, 202);
    },
    'GET /api-faults': () => ok({ faults: faults.list() }),
    'POST /api-faults': (call) => ok(faults.add(check(apiFaultSchema, body(call), 'the fault rule')), 201),
    'DELETE /api-faults': () => {
      faults.remove();
      return { status: 204 };
    },
    'GET /registry-faults': () => ok({ faults: cloud.registryFaults.list() }),
    'POST /registry-faults': (call) =>
      ok(cloud.registryFaults.add(check(registryFaultSchema, body(call), 'the fault rule')), 201),
    'DELETE /registry-faults': () => {
      cloud.registryFaults.remove();
      return { status: 204 };
    },
    'GET /api-cuts': () => ok({ cuts: [...cuts].map(([address, { how }]) => ({ address, how })) }),
    'POST /api-cuts': (call) => {
      const { cluster, address, how, forMs } = check(cutSchema, body(call), 'the cut');
      const addresses = address === undefined ? machines().addressesOf(cluster ?? '') : [address];
      if (addresses.length === 0)
        throw new ConfigError('the cut', [`cluster: no outside address leads to a cluster ${cluster}`]);
      for (const a of addresses) {
        cuts.get(a)?.timer?.cancel();
        const timer = forMs === undefined ? undefined : cloud.clock.setTimeout(() => mend(a), forMs);
        cuts.set(a, { how, timer });
        machines().cut(a, how);
      }
      return ok({ addresses }, 202);
    },
    'DELETE /api-cuts': () => {
      for (const address of [...cuts.keys()]) mend(address);
      return { status: 204 };
    },
    'POST /deprecated-apis': (call) => {
      const { cluster, apis, machine } = check(deprecatedSchema, body(call), 'the deprecated APIs');
      if (machines().noteDeprecated(cluster, apis, machine) === 0)
        throw new ConfigError('the deprecated APIs', [
          machine === undefined
            ? `cluster: there is no cluster ${cluster}`
            : `machine: there is no cluster ${cluster} with an API server on ${machine}`,
        ]);
      return ok({ cluster, apis: apis.length }, 202);
    },
  };
}

/** The servers that a fault is about. @throws {ConfigError} when there is none */
function chosen(cloud: Cloud, given: z.infer<typeof nodeFaultSchema>): Server[] {
  const { server, zone, host, share } = given;
  const isOn = (s: Server): boolean =>
    s.host !== null &&
    (s.host === host ||
      createHash('sha224')
        .update(s.projectId + s.host)
        .digest('hex') === host);
  const servers = [...cloud.compute.servers.values()].filter((s) =>
    server !== undefined
      ? s.id === server || s.name === server
      : s.vmState === 'active' && (zone === undefined ? isOn(s) : s.zone === zone),
  );
  if (servers.length === 0) {
    const where = server !== undefined ? 'server' : zone !== undefined ? 'zone' : 'host';
    throw new ConfigError('the node fault', [
      `${where}: there is no server ${where === 'server' ? 'with id or name' : 'in'} ${server ?? zone ?? host}`,
    ]);
  }
  if (share === 1) return servers;
  const wanted = Math.max(1, Math.round(servers.length * share));
  while (servers.length > wanted) servers.splice(cloud.ids.int(servers.length), 1);
  return servers;
}
