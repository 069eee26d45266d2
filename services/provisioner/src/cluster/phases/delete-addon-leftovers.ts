import { WaitingError } from '@shoto/reconciler';
import { EndpointNotFoundError, type LoadBalancerInfo, metadataQuery, type Volume } from 'openstack-client-ts';
import { isInvalid } from '../../cloud/errors.ts';
import { needsCredentials } from '../addon-credentials/needs.ts';
import type { ClusterPass } from '../pass.ts';
import { clusterEvent } from './cluster-event.ts';

/** Metadata key under which cinder-csi says which cluster a volume is of; addons give it the Cluster's UID. */
export const CSI_CLUSTER = 'cinder.csi.openstack.org/cluster';
/** What the cloud-controller-manager calls a load balancer: `kube_service_<cluster>_<namespace>_<service>`. */
const SERVICE_PREFIX = 'kube_service_';
/** How it describes a floating IP that it made; one that a person brought is not so described, and stays. */
const FLOATING_IP = 'Floating IP for Kubernetes external service';
const NAMED_AT_MOST = 20;
/** How soon what is being deleted is looked at again, and what a person has to look at. */
const SOON_MS = 1_000;
const LATER_MS = 30_000;

/**
 * Whether addons may have made something in the cloud, or have been given a credential: also where that was never stored.
 */
export const mayHaveWorked = ({ d, cluster, infra }: ClusterPass): boolean =>
  infra.addonCredentials !== undefined || needsCredentials(cluster, d.bundles()) !== 'no';

/**
 * Removes what the Cluster's addons made in the cloud and the addon-manager could not remove from within: load balancers of Services, and volumes whose
 * reclaim policy is Delete. Only what is provably the Cluster's: by its UID in name or metadata, or by the network that is its own. What a person asked to
 * keep stays; where nobody could ask the cluster which volumes that are, all stay, and are named.
 *
 * @throws {WaitingError} while something is still going
 */
export async function deleteAddonLeftovers(pass: ClusterPass): Promise<void> {
  await deleteServiceBalancers(pass);
  await deleteVolumes(pass);
}

async function deleteServiceBalancers(pass: ClusterPass): Promise<void> {
  const { region, key, signal, infra, ref } = pass;
  const networkId = infra.networkId;
  if (!networkId) return;
  const isOwnNetwork = region.region.spec.sharedNetwork === undefined;
  const isOurs = (lb: LoadBalancerInfo): boolean =>
    lb.name.startsWith(`${SERVICE_PREFIX}${ref.uid}_`) ||
    (isOwnNetwork && lb.vip_network_id === networkId && lb.name.startsWith(SERVICE_PREFIX));
  const all = await orNone(
    region.cloud.call(
      `look up the load balancers of Services of ${key}`,
      (c, o) => c.loadBalancer.loadBalancers.list({ vip_network_id: networkId }, o).all(),
      signal,
    ),
  );
  const left = all.filter((lb) => isOurs(lb) && lb.provisioning_status !== 'DELETED');
  for (const lb of left) {
    if (lb.provisioning_status.startsWith('PENDING')) continue;
    await deleteFloatingIps(pass, lb);
    await region.cloud.remove(
      `delete the load balancer ${lb.name} of ${key}`,
      (c, o) => c.loadBalancer.loadBalancers.deleteCascade(lb.id, o),
      signal,
    );
  }
  if (left.length > 0) throw going(pass, `${left.length} load balancer(s) of Services`);
}

async function deleteFloatingIps({ region, key, signal }: ClusterPass, lb: LoadBalancerInfo): Promise<void> {
  const ips = await region.cloud.call(
    `look up the floating IPs of load balancer ${lb.name} of ${key}`,
    (c, o) => c.network.floatingIps.list({ port_id: lb.vip_port_id }, o).all(),
    signal,
  );
  for (const ip of ips.filter((i) => i.description?.startsWith(FLOATING_IP)))
    await region.cloud.remove(
      `delete the floating IP ${ip.floating_ip_address} of ${key}`,
      (c, o) => c.network.floatingIps.delete(ip.id, o),
      signal,
    );
}

async function deleteVolumes(pass: ClusterPass): Promise<void> {
  const { region, key, signal, ref, cluster } = pass;
  const mark = { [CSI_CLUSTER]: ref.uid };
  const list = async (): Promise<Volume[]> => {
    const all = await orNone(
      region.cloud.call(
        `look up the volumes of ${key}`,
        (c, o) => c.blockStorage.volumes.list({ metadata: metadataQuery(mark) }, o).all(),
        signal,
      ),
    );
    return all.filter((v) => v.metadata[CSI_CLUSTER] === ref.uid);
  };
  const leaving = cluster.status?.addons?.leaving;
  const found = await list();
  if (found.length === 0) return;
  if (!leaving || leaving.state === 'Unreachable') return await keep(pass, found, 'its reclaim policy is not known');
  const retained = new Set(leaving.retained);
  const left = found.filter((v) => !retained.has(v.id));
  const kept: Volume[] = [];
  for (const v of left) if (isFree(v) && (await isHeld(pass, v))) kept.push(v);
  if (kept.length > 0) await keep(pass, kept, 'snapshots, or something else of the cloud, need it');
  const waited = left.filter((v) => !kept.includes(v));
  const failed = waited.filter((v) => v.status === 'error_deleting');
  if (failed.length > 0)
    throw new WaitingError(
      'VolumeDeletionFailed',
      `the cloud could not delete the volumes ${names(failed)} of ${key}: its operator mends that; tried again by itself`,
      LATER_MS,
    );
  if (waited.length > 0) throw going(pass, `${waited.length} volume(s)`);
}

const isFree = (v: Volume): boolean => ['available', 'error', 'error_deleting'].includes(v.status);

/** Asks for a volume's deletion. @returns true where the cloud refuses it for what hangs on it */
async function isHeld({ region, key, signal }: ClusterPass, v: Volume): Promise<boolean> {
  try {
    await region.cloud.remove(
      `delete the volume ${v.id} of ${key}`,
      (c, o) => c.blockStorage.volumes.delete(v.id, o),
      signal,
    );
    return false;
  } catch (e) {
    if (isInvalid(e)) return true;
    throw e;
  }
}

async function keep(pass: ClusterPass, volumes: readonly Volume[], why: string): Promise<void> {
  await clusterEvent(pass, {
    type: 'Warning',
    reason: 'VolumesKept',
    message: `volumes of ${pass.key} stay in the cloud, since ${why}: ${names(volumes)}; delete what is not needed`,
    action: 'DeleteVolumes',
  });
}

function names(volumes: readonly Volume[]): string {
  const some = volumes.slice(0, NAMED_AT_MOST).map((v) => v.id);
  const more = volumes.length - some.length;
  return `${some.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const going = ({ key }: ClusterPass, what: string): WaitingError =>
  new WaitingError('Deleting', `waits until the cloud has let go of ${what} of ${key}`, SOON_MS);

/** A cloud without the service has none of its things. */
async function orNone<T>(list: Promise<T[]>): Promise<T[]> {
  try {
    return await list;
  } catch (e) {
    if ((e as Error).cause instanceof EndpointNotFoundError) return [];
    throw e;
  }
}
