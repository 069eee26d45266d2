import type { KubeObject } from '../../kubernetes/index.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import { at, list, record } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { controllerOf, keyOf, ownedBy, refOf, shareOf, templateHash } from './objects.ts';
import { ownersOf } from './replicasets.ts';
import { setStatus } from './status.ts';

const HASH = 'pod-template-hash';
const REVISION = 'deployment.kubernetes.io/revision';

const count = (o: KubeObject | undefined, ...path: string[]): number => Number(at(o, ...path) ?? 0);

/** Deployments: a ReplicaSet for each template, rolled from the old ones to the new one. */
export function deployments(x: Context): Controller {
  const setsOf = (d: KubeObject): KubeObject[] =>
    x.resources
      .of('ReplicaSet')
      .list({ namespace: d.metadata.namespace ?? '' })
      .filter((rs) => controllerOf(rs)?.uid === d.metadata.uid);

  const scale = (rs: KubeObject, replicas: number): void => {
    if (count(rs, 'spec', 'replicas') !== replicas)
      x.resources.of('ReplicaSet').patch(refOf(keyOf(rs)), { spec: { replicas } });
  };

  const makeSet = (d: KubeObject, hash: string, replicas: number, revision: number): KubeObject => {
    const template = record(at(d, 'spec', 'template'));
    const labels = { ...(record(at(template, 'metadata', 'labels')) as Record<string, string>), [HASH]: hash };
    const selector = record(at(d, 'spec', 'selector'));
    return x.resources.of('ReplicaSet').create({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${d.metadata.name}-${hash}`,
        namespace: d.metadata.namespace ?? '',
        labels,
        annotations: { [REVISION]: String(revision) },
        ownerReferences: [ownedBy(d, 'apps/v1', 'Deployment')],
      },
      spec: {
        replicas,
        selector: { ...selector, matchLabels: { ...record(selector.matchLabels), [HASH]: hash } },
        template: { ...template, metadata: { ...record(template.metadata), labels } },
      },
    });
  };

  /** Moves replicas from the old sets to the new one, as far as surge and unavailability allow. */
  const roll = (d: KubeObject, fresh: KubeObject, old: KubeObject[]): void => {
    const wanted = Number(at(d, 'spec', 'replicas') ?? 1);
    const strategy = record(at(d, 'spec', 'strategy'));
    if (strategy.type === 'Recreate') {
      for (const rs of old) scale(rs, 0);
      if (old.every((rs) => x.pods.ofOwner(rs.metadata.uid).length === 0)) scale(fresh, wanted);
      return;
    }
    const surge = shareOf(at(strategy, 'rollingUpdate', 'maxSurge') ?? '25%', wanted, 'up');
    const spared = shareOf(at(strategy, 'rollingUpdate', 'maxUnavailable') ?? '25%', wanted, 'down');
    const unavailable = surge === 0 && spared === 0 ? 1 : spared;
    const oldReplicas = old.reduce((n, rs) => n + count(rs, 'spec', 'replicas'), 0);
    const now = count(fresh, 'spec', 'replicas');
    const room = wanted + surge - oldReplicas - now;
    if (now !== wanted) scale(fresh, now > wanted ? wanted : Math.min(wanted, now + Math.max(0, room)));
    let spare = count(fresh, 'status', 'availableReplicas') - (wanted - unavailable);
    for (const rs of old) spare += count(rs, 'status', 'availableReplicas');
    for (const rs of old) {
      const has = count(rs, 'spec', 'replicas');
      const broken = Math.max(0, has - count(rs, 'status', 'availableReplicas'));
      const less = Math.min(has, broken + Math.max(0, spare));
      if (less === 0) continue;
      spare -= Math.max(0, less - broken);
      scale(rs, has - less);
    }
  };

  const conditions = (d: KubeObject, available: boolean, complete: boolean): unknown[] => {
    const before = list(at(d, 'status', 'conditions')).map(record);
    const now = rfc3339(x.clock.now());
    const name = `Deployment "${d.metadata.name}"`;
    return [
      {
        type: 'Available',
        status: available ? 'True' : 'False',
        reason: available ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
        message: available ? 'Deployment has minimum availability.' : 'Deployment does not have minimum availability.',
      },
      {
        type: 'Progressing',
        status: 'True',
        reason: complete ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated',
        message: complete ? `${name} has successfully progressed.` : `${name} is progressing.`,
      },
    ].map((c) => {
      const had = before.find((b) => b.type === c.type);
      if (had?.status === c.status && had.reason === c.reason) return had;
      return { ...c, lastUpdateTime: now, lastTransitionTime: had?.status === c.status ? had.lastTransitionTime : now };
    });
  };

  return {
    name: 'deployments',
    sees: {
      'deployments.apps': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
      'replicasets.apps': ({ object }) => ownersOf('Deployment', object),
    },
    reconcile(key) {
      const d = x.resources.of('Deployment').get(refOf(key));
      if (!d || d.metadata.deletionTimestamp) return;
      const hash = templateHash(at(d, 'spec', 'template'));
      const sets = setsOf(d);
      const revision = Math.max(0, ...sets.map((rs) => Number(rs.metadata.annotations?.[REVISION] ?? 0)));
      const wanted = Number(at(d, 'spec', 'replicas') ?? 1);
      const old = sets.filter((rs) => rs.metadata.labels?.[HASH] !== hash);
      let fresh = sets.find((rs) => rs.metadata.labels?.[HASH] === hash);
      if (at(d, 'spec', 'paused') !== true) {
        // The first set starts whole; a later one from nothing, so that the roll counts.
        if (!fresh) fresh = makeSet(d, hash, old.length === 0 ? wanted : 0, revision + 1);
        else if (old.length > 0 && Number(fresh.metadata.annotations?.[REVISION]) < revision)
          fresh = x.resources
            .of('ReplicaSet')
            .patch(refOf(keyOf(fresh)), { metadata: { annotations: { [REVISION]: String(revision + 1) } } });
        const number = fresh.metadata.annotations?.[REVISION];
        if (d.metadata.annotations?.[REVISION] !== number)
          x.resources.of('Deployment').patch(refOf(key), { metadata: { annotations: { [REVISION]: number } } });
        roll(d, fresh, old);
      } else if (fresh && old.length === 0) scale(fresh, wanted);
      report(d, fresh, setsOf(d), wanted);
    },
  };

  function report(d: KubeObject, fresh: KubeObject | undefined, sets: KubeObject[], wanted: number): void {
    const sum = (field: string): number => sets.reduce((n, rs) => n + count(rs, 'status', field), 0);
    const updated = count(
      sets.find((rs) => rs.metadata.uid === fresh?.metadata.uid),
      'status',
      'replicas',
    );
    const [replicas, available] = [sum('replicas'), sum('availableReplicas')];
    const spared = shareOf(at(d, 'spec', 'strategy', 'rollingUpdate', 'maxUnavailable') ?? 0, wanted, 'down');
    const complete = updated === wanted && replicas === wanted && available >= wanted;
    setStatus(x, 'Deployment', d, {
      observedGeneration: d.metadata.generation ?? 1,
      replicas: replicas || null,
      updatedReplicas: updated || null,
      readyReplicas: sum('readyReplicas') || null,
      availableReplicas: available || null,
      unavailableReplicas: Math.max(0, wanted - available) || null,
      conditions: conditions(d, available >= wanted - spared, complete),
    });
    const keep = Number(at(d, 'spec', 'revisionHistoryLimit') ?? 10);
    const idle = sets
      .filter(
        (rs) =>
          rs.metadata.uid !== fresh?.metadata.uid &&
          count(rs, 'spec', 'replicas') === 0 &&
          count(rs, 'status', 'replicas') === 0,
      )
      .sort((a, b) => Number(a.metadata.annotations?.[REVISION]) - Number(b.metadata.annotations?.[REVISION]));
    for (const rs of idle.slice(0, Math.max(0, idle.length - keep)))
      x.resources.of('ReplicaSet').delete(refOf(keyOf(rs)));
  }
}
