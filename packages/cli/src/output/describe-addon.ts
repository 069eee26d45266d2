import { type Addon, type Cluster, type Condition, findCondition } from '@shoto/api';
import { stringify } from 'yaml';
import { field, part } from './page.ts';
import { age, table } from './table.ts';

type Wanted = Cluster['spec']['addons'][number];

/** A condition as an answer to its name. */
function answer(list: Condition[] | undefined, type: string): string {
  const c = findCondition(list, type);
  if (!c) return 'not known yet';
  return c.status === 'True' ? `yes, ${c.message}` : `no, ${c.reason}: ${c.message}`;
}

const wish = (w: Wanted | undefined): string =>
  w ? (w.version ?? `the newest of channel ${w.channel ?? 'stable'} that fits`) : 'nothing, it is being removed';

/**
 * How an addon of a cluster stands, and why, on a page.
 *
 * @param addon - undefined where addon-manager has not looked at it yet
 * @param wanted - its entry in the Cluster; undefined where it is on its way out
 * @param now - milliseconds since the epoch
 */
export function describeAddon(
  o: { cluster: string; name: string; addon: Addon | undefined; wanted: Wanted | undefined },
  now: number,
): string {
  const { cluster, name, addon, wanted } = o;
  const m = addon?.status?.manager;
  const { failed, drift = [], conflicts = [], conditions = [] } = m ?? {};
  const sources = (wanted?.valuesFrom ?? []).map((v) => `${v.secretName}/${v.key}`);
  return [
    field('Name', name),
    field('Cluster', cluster),
    field('Wanted', wish(wanted)),
    ...(wanted?.paused ? [field('Paused', `yes; shoto set addon ${cluster} ${name} --paused off lets it go on`)] : []),
    field('Version', m?.version ?? 'none yet'),
    ...(m?.bundle ? [field('Bundle', m.bundle)] : []),
    ...(m?.appliedAt ? [field('Applied', `${m.appliedAt} (${age(m.appliedAt, now)} ago)`)] : []),
    field('Healthy', answer(conditions, 'Healthy')),
    field('Up to date', answer(conditions, 'UpToDate')),
    ...(failed
      ? [
          field('Failed', `${failed.bundle}, ${age(failed.at, now)} ago, ${failed.reason}: ${failed.message}`),
          field('Once more', `shoto retry addon ${cluster} ${name}`),
        ]
      : []),
    field('Drift', wanted?.drift ?? 'Correct'),
    ...(sources.length > 0 ? [field('Values from', sources.join(', '))] : []),
    ...(wanted?.values ? part('Values', stringify(wanted.values).trimEnd()) : []),
    ...(drift.length > 0
      ? part(
          'Changed by somebody else',
          table(
            ['OBJECT', 'SINCE', 'FIELDS'],
            drift.map((d) => [d.object, age(d.at, now), d.paths.join(' ')]),
          ),
        )
      : []),
    ...(conflicts.length > 0
      ? part(
          'Left to other managers',
          table(
            ['OBJECT', 'MANAGER', 'SINCE', 'FIELDS'],
            conflicts.map((c) => [c.object, c.manager, age(c.at, now), c.paths.join(' ')]),
          ),
        )
      : []),
    ...(conditions.length > 0
      ? part(
          'Conditions',
          table(
            ['TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'],
            conditions.map((c) => [c.type, c.status, c.reason, age(c.lastTransitionTime, now), c.message]),
          ),
        )
      : []),
  ].join('\n');
}
