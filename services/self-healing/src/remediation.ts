import { type ConditionInput, findCondition, type Machine, timestamp } from '@shoto/api';
import type { Brake } from './brake.ts';
import type { Order, Step } from './ladder.ts';
import type { Exemption, Symptom } from './symptoms.ts';

/**
 * The words of a Machine's condition `Remediation`. `Unknown` while an order is not carried out, `True` while one is given its time to help, else
 * `False`; so the time of transition is that of the order, or of the deed. Reasons are documented in docs/conditions-self-healing.md.
 */
type Remediation = Omit<ConditionInput, 'type'>;

const stated = (c: Remediation): ConditionInput => ({ type: 'Remediation', ...c });

const nth = (o: Order): string => `${o.action}, order ${o.number}, because of ${o.reason}`;

/** Nothing is done yet: what will be, and when. */
export const waiting = (s: Symptom, step: Extract<Step, { kind: 'next' }>): ConditionInput =>
  stated({
    status: 'False',
    reason: 'Waiting',
    message: `${s.reason} since ${timestamp(s.since)}: ${step.action} at ${timestamp(step.at)} if it lasts${
      step.after ? `; before it came ${nth(step.after)}` : ''
    }`,
  });

/** An order was written. */
export const ordered = (o: Order): ConditionInput =>
  stated({ status: 'Unknown', reason: 'Ordered', message: `${nth(o)}, at ${o.at}: the provisioner carries it out` });

/** Nobody carried it out in time. */
export const stuck = (o: Order): ConditionInput =>
  stated({
    status: 'Unknown',
    reason: 'OrderStuck',
    message: `${nth(o)}, at ${o.at}, is not carried out yet: look at the provisioner and at the machine's ServerReady and Drained (docs/runbooks/healing-held.md)`,
  });

/** It was carried out, and is given its time. */
export const carriedOut = (o: Order, next: Extract<Step, { kind: 'next' }>): ConditionInput =>
  stated({
    status: 'True',
    reason: 'CarriedOut',
    message: `${nth(o)}, is carried out: ${next.action} at ${timestamp(next.at)} if it does not help`,
  });

/** A brake holds; the first one gives the reason. */
export const held = (s: Symptom, step: Extract<Step, { kind: 'next' }>, brakes: readonly Brake[]): ConditionInput =>
  stated({
    status: 'False',
    reason: brakes[0]?.reason ?? 'Held',
    message: `${step.action} is due because of ${s.reason} and held: ${brakes.map((b) => b.message).join('; ')}`,
  });

/** The nodes of its cluster are looked at twice first. */
export const observing = (s: Symptom, step: Extract<Step, { kind: 'next' }>): ConditionInput =>
  stated({
    status: 'False',
    reason: 'Observing',
    message: `${step.action} is due because of ${s.reason}; the cluster's nodes are looked at twice before it`,
  });

/** It is sick and left alone. */
export const exempt = (e: Exemption): ConditionInput =>
  stated({ status: 'False', reason: e.reason, message: `nothing is done about it: ${e.message}` });

/** We cannot reach the cluster, so what its nodes last said counts for nothing. */
export const unreachable = (): ConditionInput =>
  stated({
    status: 'False',
    reason: 'ClusterUnreachable',
    message: 'nothing is done about it: we do not reach the cluster, and that says nothing about its nodes',
  });

/** Nothing ails it any more. */
export const recovered = (): ConditionInput =>
  stated({ status: 'False', reason: 'Recovered', message: 'nothing ails it any more' });

/** When the last order was seen to be carried out, in milliseconds since the epoch, as far as it is stated. */
export function carriedOutAt(m: Machine): number | undefined {
  const c = findCondition(m.status?.health?.conditions, 'Remediation');
  return c?.status === 'True' ? Date.parse(c.lastTransitionTime) : undefined;
}
