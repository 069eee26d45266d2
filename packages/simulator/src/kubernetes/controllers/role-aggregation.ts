import type { Core } from '../server-core.ts';
import type { Change } from '../store/store.ts';
import type { KubeObject } from '../types.ts';
import { equal, isRecord, list } from '../util/json.ts';
import { compileLabelSelector } from '../util/selectors.ts';
import type { Controller } from './controller.ts';

const roles = 'clusterroles.rbac.authorization.k8s.io';

/** Fills the rules of ClusterRoles that are made of others (`admin`, `edit`, `view`) by their aggregationRule. */
export class RoleAggregation implements Controller {
  private readonly core: Core;
  private dirty = true;

  constructor(core: Core) {
    this.core = core;
    this.drain();
  }

  note(table: string, _change: Change): void {
    if (table === roles) this.dirty = true;
  }

  drain(): boolean {
    if (!this.dirty) return false;
    this.dirty = false;
    const all = [...this.core.store.scan(roles, undefined)];
    for (const role of all) {
      const aggregation = role.aggregationRule;
      if (!isRecord(aggregation)) continue;
      const selectors = list(aggregation.clusterRoleSelectors).map(compileLabelSelector);
      const rules = all
        .filter((r) => r !== role && selectors.some((selects) => selects(r.metadata.labels ?? {})))
        .flatMap((r: KubeObject) => list(r.rules));
      // A role of which others are made may itself be made of others: then the next round completes it.
      if (!equal(rules, list(role.rules)))
        this.core.store.put(roles, { ...role, metadata: { ...role.metadata }, rules });
    }
    return true;
  }
}
