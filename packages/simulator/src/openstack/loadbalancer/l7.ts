import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { inner, newL7Policy, newL7Rule } from './kinds-l7.ts';
import type { L7Policy, L7Rule, LbRow, Listener } from './state.ts';
import { mutable, pending, refs } from './tree.ts';

const base = '/v2/lbaas/l7policies';

/** Policies of a listener in its order: positions are always 1, 2, 3, ... */
function order(cloud: Cloud, listenerId: string): L7Policy[] {
  const found = [...cloud.loadBalancer.policies.by('listener', listenerId)].sort((a, b) => a.position - b.position);
  for (const [i, policy] of found.entries()) policy.position = i + 1;
  return found;
}

const put = (cloud: Cloud, policy: L7Policy, position: number): void => {
  // In between: what stood at the position moves down.
  policy.position = position - 0.5;
  cloud.loadBalancer.policies.save(policy);
  order(cloud, policy.listenerId);
};

/** Rows on the wire. */
export const ruleView = (r: L7Rule): Json => {
  const { lb: _lb, policyId: _policy, name: _name, description: _text, ...out } = r;
  return out;
};
export const policyView = (cloud: Cloud, p: L7Policy): Json => {
  const { lb: _lb, listenerId, ...out } = p;
  return { ...out, listener_id: listenerId, rules: refs(cloud.loadBalancer.rules.by('policy', p.id)) };
};

/** Stores a policy with the rules that its body holds. @returns all that is new, the policy first */
export function addL7Policy(cloud: Cloud, auth: Auth, a: Json, listener: Listener): LbRow[] {
  const policy = newL7Policy(cloud, auth, a, listener);
  put(cloud, policy, Number(a.position ?? Number.MAX_SAFE_INTEGER));
  const rules = Array.isArray(a.rules) ? a.rules.filter(isObject) : [];
  return [policy, ...rules.map((r) => cloud.loadBalancer.rules.save(newL7Rule(cloud, auth, r, policy)))];
}

/** What this needs of the service that it is part of. */
export interface Tools {
  listAnswer: (call: Call, key: string, rows: Json[]) => { status: number; json: Json };
  listener: (id: string, auth: Auth) => Listener;
}

/** L7 policies of listeners, and their rules. */
export function serveL7(service: OpenStackService, cloud: Cloud, tools: Tools): void {
  const { policies, rules } = cloud.loadBalancer;
  const policy = (id: string | undefined, auth: Auth): L7Policy => {
    const found = policies.get(id ?? '');
    if (!found || (!auth.isAdmin && found.project_id !== auth.projectId))
      throw new ApiError(404, `L7Policy ${id} not found.`);
    return found;
  };
  const rule = (call: Call, auth: Auth): L7Rule => {
    const found = rules.get(call.params.id!);
    if (!found || found.policyId !== policy(call.params.policy, auth).id)
      throw new ApiError(404, `L7Rule ${call.params.id} not found.`);
    return found;
  };
  const change = (
    row: LbRow,
    status: 'PENDING_CREATE' | 'PENDING_UPDATE' | 'PENDING_DELETE',
    rows = [row],
    done?: () => void,
  ) => pending(cloud, mutable(cloud, row.lb), rows, status, 'octavia.loadbalancer.update', done);
  const view = (p: L7Policy): Json => policyView(cloud, p);

  service.on('GET', base, 'octavia.l7policy.list', (call, auth) => {
    const own = auth.isAdmin ? policies.values() : policies.by('project', auth.projectId);
    return tools.listAnswer(call, 'l7policies', [...own].map(view));
  });
  service.on('POST', base, 'octavia.l7policy.create', (call, auth) => {
    const a = inner(jsonBody(call), 'l7policy');
    const listener = tools.listener(String(a.listener_id), auth);
    mutable(cloud, listener.lb);
    const rows = addL7Policy(cloud, auth, a, listener);
    const made = rows[0] as L7Policy;
    change(made, 'PENDING_CREATE', rows);
    return { status: 201, json: { l7policy: view(made) } };
  });
  service.on('GET', `${base}/{id}`, 'octavia.l7policy.show', (call, auth) => ({
    status: 200,
    json: { l7policy: view(policy(call.params.id, auth)) },
  }));
  service.on('PUT', `${base}/{id}`, 'octavia.l7policy.update', (call, auth) => {
    const p = policy(call.params.id, auth);
    const a = inner(jsonBody(call), 'l7policy');
    mutable(cloud, p.lb);
    const wanted = newL7Policy(cloud, auth, { ...view(p), ...a }, tools.listener(p.listenerId, auth));
    const { id: _id, created_at: _at, position: _position, ...fields } = wanted;
    Object.assign(p, fields, { operating_status: p.operating_status });
    put(cloud, p, a.position === undefined ? p.position : Number(a.position));
    change(p, 'PENDING_UPDATE');
    return { status: 200, json: { l7policy: view(p) } };
  });
  service.on('DELETE', `${base}/{id}`, 'octavia.l7policy.delete', (call, auth) => {
    const p = policy(call.params.id, auth);
    change(p, 'PENDING_DELETE', [p], () => {
      for (const r of [...rules.by('policy', p.id)]) rules.delete(r.id);
      policies.delete(p.id);
      order(cloud, p.listenerId);
    });
    return { status: 204 };
  });

  const ruleBase = `${base}/{policy}/rules`;
  service.on('GET', ruleBase, 'octavia.l7rule.list', (call, auth) =>
    tools.listAnswer(call, 'rules', [...rules.by('policy', policy(call.params.policy, auth).id)].map(ruleView)),
  );
  service.on('POST', ruleBase, 'octavia.l7rule.create', (call, auth) => {
    const p = policy(call.params.policy, auth);
    mutable(cloud, p.lb);
    const r = rules.save(newL7Rule(cloud, auth, inner(jsonBody(call), 'rule'), p));
    change(r, 'PENDING_CREATE');
    return { status: 201, json: { rule: ruleView(r) } };
  });
  service.on('GET', `${ruleBase}/{id}`, 'octavia.l7rule.show', (call, auth) => ({
    status: 200,
    json: { rule: ruleView(rule(call, auth)) },
  }));
  service.on('PUT', `${ruleBase}/{id}`, 'octavia.l7rule.update', (call, auth) => {
    const r = rule(call, auth);
    mutable(cloud, r.lb);
    const a = inner(jsonBody(call), 'rule');
    const { id: _id, created_at: _at, ...fields } = newL7Rule(cloud, auth, { ...r, ...a }, policy(r.policyId, auth));
    Object.assign(r, fields, { operating_status: r.operating_status });
    rules.save(r);
    change(r, 'PENDING_UPDATE');
    return { status: 200, json: { rule: ruleView(r) } };
  });
  service.on('DELETE', `${ruleBase}/{id}`, 'octavia.l7rule.delete', (call, auth) => {
    const r = rule(call, auth);
    change(r, 'PENDING_DELETE', [r], () => rules.delete(r.id));
    return { status: 204 };
  });
}
