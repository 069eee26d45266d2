import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { EVENTS } from './resources.ts';
import type { HasMeta } from './types.ts';

/** The object that an event is about. */
export interface Regarding {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  uid: string;
}

/** What happened. */
export interface EventRecord {
  regarding: Regarding;
  type: 'Normal' | 'Warning';
  /** CamelCase, for programs. */
  reason: string;
  /** One line for people; cut at 1,024 characters (the API's limit). No secrets, no times. */
  message: string;
  /** `shoto.dev/provisioner`. */
  reportingController: string;
  /** What was being done, CamelCase: `CreateServer`. */
  action: string;
}

interface KubeEvent extends HasMeta {
  eventTime: string;
  type: string;
  reason: string;
  note: string;
  action: string;
  regarding: Regarding;
  reportingController: string;
  reportingInstance: string;
}

/** The same event is not written again within this time. */
const AGAIN_MS = 600_000;
const REMEMBERED = 5_000;
const written = new WeakMap<KubeClient, Map<string, number>>();

/**
 * Records an Event (events.k8s.io/v1), so that `kubectl describe` and `shoto events` show it.
 *
 * The same (object, type, reason, message) within 10 minutes is written once: this process remembers, and the event's name
 * is made from these and the ten minutes, so that a restarted or second process is told 409 and leaves it.
 * Never throws: what an event tells is also in a condition, so a lost one must not stop a reconcile.
 *
 * @param now - milliseconds since 1970; default the wall clock
 */
export async function recordEvent(client: KubeClient, e: EventRecord, now: number = Date.now()): Promise<void> {
  const identity = [e.regarding.uid, e.type, e.reason, e.message].join('\n');
  const seen = written.get(client) ?? new Map<string, number>();
  written.set(client, seen);
  const last = seen.get(identity);
  if (last !== undefined && now - last < AGAIN_MS) return;
  seen.delete(identity);
  seen.set(identity, now);
  const oldest = seen.keys().next().value;
  if (seen.size > REMEMBERED && oldest !== undefined) seen.delete(oldest);

  const hash = createHash('sha256')
    .update(`${identity}\n${Math.floor(now / AGAIN_MS)}`)
    .digest('hex')
    .slice(0, 16);
  const event: KubeEvent = {
    metadata: { name: `${e.regarding.name.slice(0, 230)}.${hash}`, namespace: e.regarding.namespace ?? 'default' },
    eventTime: new Date(now).toISOString().replace('Z', '000Z'),
    type: e.type,
    reason: e.reason,
    note: e.message.length > 1024 ? `${e.message.slice(0, 1021)}...` : e.message,
    action: e.action,
    regarding: e.regarding,
    reportingController: e.reportingController,
    reportingInstance: `${e.reportingController}-${hostname()}`.slice(0, 128),
  };
  try {
    await client.create(EVENTS, event);
  } catch (error) {
    if (error instanceof KubeError && error.isAlreadyExists) return;
    seen.delete(identity);
  }
}
