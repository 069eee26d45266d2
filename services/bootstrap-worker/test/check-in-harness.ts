import type { Machine } from '@shoto/api';
import { createAuthority, type KeyedCertificate } from '@shoto/pki';
import { afterEach, beforeAll, expect } from 'vitest';
import { CheckInCertificate } from '../src/check-in/certificate.ts';
import type { InstallPlan } from '../src/check-in/protocol.ts';
import { RateLimit } from '../src/check-in/rate-limit.ts';
import { type CheckInServer, startCheckInServer } from '../src/check-in/server.ts';
import { issueTicket } from '../src/check-in/ticket.ts';
import { uidOf } from '../src/world.ts';
import { aRegion, START } from './builders.ts';
import { machineKey, post } from './machine-client.ts';
import type { scenario } from './scenario.ts';

export type Scenario = Awaited<ReturnType<typeof scenario>>;
type Key = { key: string; cert: string };

let ca: KeyedCertificate;
let own: Key | undefined;
/** Another machine's key. */
export let other: Key | undefined;
/** Servers of the test that runs; closed after it. */
export const servers: CheckInServer[] = [];

beforeAll(async () => {
  ca = await createAuthority('Shoto check-in');
  [own, other] = await Promise.all([machineKey(), machineKey()]);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((s) => s.close()));
});

/** Serves the check-in of a scenario, or of another replica over it. */
export async function serve(
  s: Scenario,
  from: Pick<Scenario, 'checkIns' | 'wakeups'> = s,
  burst = 1000,
): Promise<string> {
  const certificate = await new CheckInCertificate(ca, { ...s.clock, now: Date.now }).next([aRegion()]);
  const server = await startCheckInServer({
    host: '127.0.0.1',
    port: 0,
    certificate: certificate as KeyedCertificate,
    checkIns: from.checkIns,
    wakeups: from.wakeups,
    rateLimit: new RateLimit({ perSecond: 100, burst, now: s.clock.now }),
    metrics: s.metrics,
    log: s.log,
  });
  servers.push(server);
  return server.url;
}

/** The ticket of a machine. */
export const ticketOf = (s: Scenario, m: Machine): string => issueTicket(s.ticketKey, uidOf(m), m.spec.cluster.uid);

/** A machine of the cluster asks, from its own server unless told otherwise. */
export const ask = (
  s: Scenario,
  url: string,
  m: Machine,
  o: { key?: Key | undefined; ticket?: string; instance?: object; has?: object } = {},
) =>
  post(
    url,
    '/v1/check-in',
    {
      ticket: o.ticket ?? ticketOf(s, m),
      instance: {
        id: `server-of-${m.metadata.name}`,
        addresses: ['10.8.0.21'],
        hostname: m.metadata.name,
        ...o.instance,
      },
      has: o.has ?? { kubeadm: 'v1.35.4', kubelet: 'v1.35.4', containerd: 'v2.2.9' },
    },
    { ca: ca.certificate, ...('key' in o ? o.key : own) },
  );

/** A machine reports a step. */
export const report = (url: string, step: object, key: Key | undefined = own) =>
  post(url, '/v1/steps', { startedAt: new Date(START).toISOString(), ...step }, { ca: ca.certificate, ...key });

/** Status and reason of an answer. */
export const reasonOf = (answer: { status: number; body: Record<string, unknown> }): string =>
  `${answer.status} ${answer.body.reason}`;
/** The plan of an answer that must be one. */
export const installs = (answer: { body: Record<string, unknown> }): InstallPlan => {
  expect(answer.body).toMatchObject({ action: 'install' });
  return answer.body as unknown as InstallPlan;
};
/** One file of a plan, as text. */
export const fileOf = (plan: InstallPlan, path: string): string | undefined => {
  const found = plan.files.find((f) => f.path === path);
  return found && Buffer.from(found.content, 'base64').toString();
};

/** The key that machines use unless told otherwise, and the CA of the server. */
export const mine = (): Key & { ca: string } => ({ ...(own as Key), ca: ca.certificate });

/** The CA of the check-in server. */
export const checkInCa = (): KeyedCertificate => ca;
