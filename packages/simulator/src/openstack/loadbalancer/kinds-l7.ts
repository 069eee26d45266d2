import { ApiError, type Json } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { base, inner, invalid, need, oneOf } from './kinds.ts';
import type { L7Policy, L7Rule, Listener } from './state.ts';

export { inner };

/** A new L7 policy; its row is not yet stored, its position not yet settled. */
export function newL7Policy(cloud: Cloud, auth: Auth, a: Json, listener: Listener): L7Policy {
  need(a, 'action');
  const action = oneOf(a, 'action', ['REDIRECT_TO_URL', 'REDIRECT_TO_POOL', 'REJECT', 'REDIRECT_PREFIX']);
  const text = (key: string): string | null => (typeof a[key] === 'string' ? (a[key] as string) : null);
  const pool = action === 'REDIRECT_TO_POOL' ? text('redirect_pool_id') : null;
  if (pool !== null && cloud.loadBalancer.pools.get(pool)?.lb !== listener.lb)
    throw new ApiError(404, `Pool ${pool} not found.`, 'Client');
  const url = action === 'REDIRECT_TO_URL' ? text('redirect_url') : null;
  if (action === 'REDIRECT_TO_URL' && url === null)
    throw invalid("Invalid input for field/attribute redirect_url. Value: 'None'. Mandatory field missing.");
  const redirects = action === 'REDIRECT_TO_URL' || action === 'REDIRECT_PREFIX';
  return {
    ...base(cloud, auth, a, listener.lb, listener.project_id),
    listenerId: listener.id,
    action,
    position: 1,
    redirect_pool_id: pool,
    redirect_url: url,
    redirect_prefix: action === 'REDIRECT_PREFIX' ? text('redirect_prefix') : null,
    redirect_http_code: redirects ? Number(a.redirect_http_code ?? 302) : null,
  };
}

/** A new rule of an L7 policy; its row is not yet stored. */
export function newL7Rule(cloud: Cloud, auth: Auth, a: Json, policy: L7Policy): L7Rule {
  need(a, 'type', 'compare_type', 'value');
  const types = [
    'HOST_NAME',
    'PATH',
    'FILE_TYPE',
    'HEADER',
    'COOKIE',
    'SSL_CONN_HAS_CERT',
    'SSL_VERIFY_RESULT',
    'SSL_DN_FIELD',
  ];
  return {
    ...base(cloud, auth, a, policy.lb, policy.project_id),
    policyId: policy.id,
    type: oneOf(a, 'type', types),
    compare_type: oneOf(a, 'compare_type', ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO']),
    key: typeof a.key === 'string' ? a.key : null,
    value: String(a.value),
    invert: a.invert === true,
  };
}
