import { RetryableError } from '@shoto/reconciler';
import {
  type CallOptions,
  createClient,
  EndpointNotFoundError,
  NotFoundError,
  type OpenStack,
  UnauthorizedError,
} from 'openstack-client-ts';
import type { ClusterPass } from '../pass.ts';

/** One harmless call to each service that addons work with. */
const CALLS: readonly [string, (c: OpenStack, o: CallOptions) => Promise<unknown>][] = [
  ['network', (c, o) => first(c.network.client, '/networks', o)],
  ['compute', (c, o) => first(c.compute.client, '/servers', o)],
  ['block storage', (c, o) => first(c.blockStorage.client, '/volumes', o)],
  ['load balancer', (c, o) => first(c.loadBalancer.client, '/lbaas/loadbalancers', o)],
];

const first = (client: OpenStack['compute']['client'], path: string, o: CallOptions): Promise<unknown> =>
  client.request({ method: 'GET', path, query: { limit: 1 } }, o);

/**
 * A service that refuses a credential with access rules: one whose operator did not set `service_type` in `[keystone_authtoken]` takes none at all.
 * Services that the cloud does not have refuse nothing.
 *
 * @returns undefined where none refuses
 * @throws {RetryableError} `CredentialRefused` when Keystone itself does not take it
 */
export async function refusal(
  pass: ClusterPass,
  credential: { id: string; secret: string },
): Promise<string | undefined> {
  const { region, key, signal } = pass;
  const client = createClient(
    { ...region.cloud.client.config, auth: { type: 'application-credential', ...credential } },
    { userAgent: 'shoto-provisioner' },
  );
  try {
    return await region.cloud.call(
      `try the new application credential of the addons of ${key}`,
      async (_own, o) => {
        await logIn(client, key);
        // One after the other: a cloud that refuses is asked no more than it must be, and no call outlives the client.
        for (const [service, call] of CALLS) if (await isRefused(call(client, o))) return service;
        return undefined;
      },
      signal,
    );
  } finally {
    await client.close();
  }
}

async function logIn(client: OpenStack, key: string): Promise<void> {
  try {
    await client.authenticate();
  } catch (e) {
    // Not the region's own credentials: those are not to be doubted for it.
    if (e instanceof UnauthorizedError || e instanceof NotFoundError)
      throw new RetryableError(
        'CredentialRefused',
        `Keystone does not take the application credential that it made for the addons of ${key}; another one is made`,
        { cause: e },
      );
    throw e;
  }
}

async function isRefused(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return false;
  } catch (e) {
    if (e instanceof UnauthorizedError) return true;
    if (e instanceof EndpointNotFoundError) return false;
    throw e;
  }
}
