import type { Machine } from '@shoto/api';
import type { JsonPatchOp } from '@shoto/kube';
import type { Pool } from './pools.ts';
import { isLeaving } from './standing.ts';
import { canonical } from './store.ts';

/** What of a Machine's spec changes in place. */
export interface Update {
  machine: Machine;
  /** Fields that change, in words. */
  because: string[];
  ops: JsonPatchOp[];
}

/**
 * What is to be changed in place so that a Machine has the labels, taints and time-outs of its pool. On its way out only the time-outs still count:
 * a drain that is stuck may be given one. What is empty or 0 is as good as absent.
 *
 * @returns undefined where there is nothing to change
 */
export function updateOf(machine: Machine, pool: Pool): Update | undefined {
  const { spec } = machine;
  const fields: { name: string; has: unknown; wants: unknown; words: string }[] = [
    {
      name: 'nodeDrainTimeoutSeconds',
      has: spec.nodeDrainTimeoutSeconds,
      wants: pool.drainTimeout,
      words: 'drain time-out',
    },
    {
      name: 'nodeVolumeDetachTimeoutSeconds',
      has: spec.nodeVolumeDetachTimeoutSeconds,
      wants: pool.detachTimeout,
      words: 'detach time-out',
    },
  ];
  if (!isLeaving(machine))
    fields.push(
      { name: 'labels', has: spec.labels, wants: pool.labels, words: 'labels' },
      { name: 'taints', has: spec.taints, wants: pool.taints, words: 'taints' },
    );
  const different = fields.filter((f) => canonical(orNone(f.has)) !== canonical(orNone(f.wants)));
  if (different.length === 0) return undefined;
  return {
    machine,
    because: different.map((f) => f.words),
    ops: [
      { op: 'test', path: '/metadata/uid', value: machine.metadata.uid },
      ...different.map((f): JsonPatchOp => {
        const value = orNone(f.wants);
        const path = `/spec/${f.name}`;
        return value === null ? { op: 'remove', path } : { op: 'add', path, value };
      }),
    ],
  };
}

/** Nothing, in all the ways in which it is written, is null. */
function orNone(value: unknown): unknown {
  if (value === undefined || value === 0) return null;
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return null;
  return value;
}
