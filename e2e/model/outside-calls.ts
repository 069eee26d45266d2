/** Where a service may die: the calls that count, told by method and path alone, so that it is the same within one process and in many. */

/** Prefixes of the cloud's services; everything else that services call is a Kubernetes API or one of ours. */
const CLOUD = /^\/(identity|compute|network|image|volume|load-balancer|placement)\//;

/**
 * Whether a death around this call is a test of its own: all that the cloud is asked, and all that changes something elsewhere, a command in a pod too. Left out is the poll
 * of the list of servers, which goes on beside all passes, as often as chance will have it.
 */
export function isPoint(method: string, path: string): boolean {
  if (path.startsWith('/compute/v2.1/servers/detail')) return false;
  return CLOUD.test(path) || method !== 'GET' || path.split('?')[0]?.endsWith('/exec') === true;
}

const UUID = /[0-9a-f]{8}-[0-9a-f-]{27}/g;

/** What a call does, without names that differ from run to run. */
export const describeCall = (method: string, path: string): string =>
  `${method} ${(path.split('?')[0] ?? '').replace(UUID, '*')}`;
