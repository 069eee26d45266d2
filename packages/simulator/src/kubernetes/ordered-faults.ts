import type { ApiFaults } from '../core/api-faults.ts';
import type { Intercepted } from './api-server.ts';
import type { RequestInfo } from './http/request-info.ts';
import { StatusError } from './status.ts';
import type { User } from './types.ts';

const REASONS: Record<number, string> = {
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** What was ordered for a request to an API that goes by these names; undefined lets it through. */
export async function orderedFault(
  faults: ApiFaults,
  cluster: () => readonly string[],
  r: { info: RequestInfo; user: User | undefined },
): Promise<Intercepted> {
  if (faults.isEmpty) return undefined;
  const { verb, resource } = r.info;
  const action = await faults.decide({
    cluster: cluster(),
    verb,
    resource: resource?.plural ?? '',
    user: r.user?.name ?? '',
  });
  if (!action) return undefined;
  if (action.type !== 'status') return action.type;
  const { status, message = 'the server is currently unable to handle the request', retryAfter } = action;
  return {
    status,
    body: new StatusError(status, REASONS[status] ?? '', message, {
      ...(retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }),
    }).body(),
    ...(retryAfter === undefined ? {} : { headers: { 'retry-after': String(retryAfter) } }),
  };
}
