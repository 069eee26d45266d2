import { ApiError, type Call } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Named } from './state.ts';

/** Which roles come with which: under /v3/roles/{prior}/implies, and all of them under /v3/role_inferences. */
export function serveImpliedRoles(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  const need = (auth: Auth, action: string): void => {
    if (!auth.isAdmin)
      throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
  };
  const role = (id: string | undefined): Named => {
    const found = identity.roles.get(id ?? '');
    if (!found) throw new ApiError(404, `Could not find role: ${id}.`);
    return found;
  };
  const ref = (r: Named) => ({
    id: r.id,
    name: r.name,
    domain_id: r.domain_id,
    description: r.description || null,
    options: {},
    links: { self: `${cloud.base}/identity/v3/roles/${r.id}` },
  });
  const implied = (prior: Named): Named[] =>
    [...identity.implications.by('prior', prior.id)].map((i) => role(i.impliedId));
  const links = (call: Call) => ({ self: `${cloud.base}/identity${call.path}` });
  const one = (call: Call) => ({
    role_inference: { prior_role: ref(role(call.params.prior)), implies: ref(role(call.params.implied)) },
    links: links(call),
  });
  const pair = (call: Call): string => `${role(call.params.prior).id}/${role(call.params.implied).id}`;
  const find = (call: Call): string => {
    const id = pair(call);
    if (!identity.implications.get(id))
      throw new ApiError(404, `${call.params.prior} does not imply ${call.params.implied}`);
    return id;
  };

  service.on('GET', '/v3/role_inferences', 'keystone.role_inference.list', (call, auth) => {
    need(auth, 'list_role_inference_rules');
    const priors = [...identity.roles.values()].filter((r) => implied(r).length > 0);
    const rows = priors.map((r) => ({ prior_role: ref(r), implies: implied(r).map(ref) }));
    return { status: 200, json: { role_inferences: rows, links: links(call) } };
  });
  service.on('GET', '/v3/roles/{prior}/implies', 'keystone.implied_role.list', (call, auth) => {
    need(auth, 'list_implied_roles');
    const prior = role(call.params.prior);
    const inference = { prior_role: ref(prior), implies: implied(prior).map(ref) };
    return { status: 200, json: { role_inference: inference, links: links(call) } };
  });
  const path = '/v3/roles/{prior}/implies/{implied}';
  service.on('PUT', path, 'keystone.implied_role.create', (call, auth) => {
    need(auth, 'create_implied_role');
    identity.implications.save({ id: pair(call), priorId: call.params.prior!, impliedId: call.params.implied! });
    return { status: 201, json: one(call) };
  });
  service.on('GET', path, 'keystone.implied_role.show', (call, auth) => {
    need(auth, 'get_implied_role');
    find(call);
    return { status: 200, json: one(call) };
  });
  service.on('DELETE', path, 'keystone.implied_role.delete', (call, auth) => {
    need(auth, 'delete_implied_role');
    identity.implications.delete(find(call));
    return { status: 204 };
  });
}
