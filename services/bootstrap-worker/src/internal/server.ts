import type { IncomingMessage } from 'node:http';
import type { Cluster, Machine, Region } from '@shoto/api';
import type { KeyedCertificate } from '@shoto/pki';
import { HttpProblem, type InternalServer, type Logger, readJson, serveInternal } from '@shoto/service';
import { issueTicket } from '../check-in/ticket.ts';
import { userData } from '../user-data/user-data.ts';
import { type Kube, uidOf } from '../world.ts';
import { disturbance } from './disturbance.ts';
import { KubeconfigRequest, type Kubeconfigs } from './kubeconfigs.ts';
import { upgradeChecks } from './upgrade-checks.ts';

const MAX_BODY = 64 * 1024;
const PATH =
  /^\/internal\/v1\/(machines|clusters)\/([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})\/(user-data|kubeconfig|steps|upgrade-checks|disturbance)$/;

/** Steps of a Machine that installs: those that are not stored too. */
interface MachineSteps {
  machine: string;
  steps: { name: string; state: 'running' | 'done' | 'failed'; startedAt: string; seconds?: number | undefined }[];
}

/** What other services ask this one for. */
export interface InternalDeps {
  /** The Machine, live when the cache does not have it yet. */
  machine: (key: string) => Promise<Machine | undefined>;
  cluster: (key: string) => Promise<Cluster | undefined>;
  region: (name: string) => Region | undefined;
  hasPki: (clusterUid: string) => Promise<boolean>;
  kubeconfigs: Pick<Kubeconfigs, 'make'>;
  /** What the machines of a cluster do right now, as this replica was told. */
  steps: (clusterUid: string) => MachineSteps[];
  /** A client of the workload cluster; may throw while it cannot be entered. */
  workload: (cluster: Cluster) => Promise<Kube>;
  ticketKey: Buffer;
  /** PEM of the CA of the check-in server. */
  checkInCa: string;
  log: Logger;
}

/** The user-data of a Machine, the same each time. @throws {HttpProblem} */
async function machineUserData(d: InternalDeps, key: string): Promise<{ userData: string }> {
  const machine = await d.machine(key);
  if (!machine) throw new HttpProblem(404, 'MachineUnknown', `there is no machine ${key}`);
  const { cluster } = machine.spec;
  if (machine.metadata.deletionTimestamp)
    throw new HttpProblem(409, 'MachineDeleted', `machine ${key} is being deleted`);
  const region = d.region(machine.spec.region);
  if (!region)
    throw new HttpProblem(409, 'RegionUnknown', `there is no region ${machine.spec.region}`, { retryAfterSeconds: 5 });
  if (!(await d.hasPki(cluster.uid))) {
    throw new HttpProblem(
      409,
      'PKINotReady',
      `the certificate authorities of cluster ${cluster.name} are not made yet`,
      { retryAfterSeconds: 1 },
    );
  }
  const ticket = issueTicket(d.ticketKey, uidOf(machine), cluster.uid);
  return { userData: userData({ url: region.spec.checkIn.url, caCertificate: d.checkInCa, ticket }) };
}

async function clusterKubeconfig(d: InternalDeps, key: string, body: unknown): Promise<unknown> {
  const request = KubeconfigRequest.safeParse(body);
  if (!request.success) {
    const what = request.error.issues.map((i) => `${i.path.join('.') || 'body'}: ${i.message}`).join('; ');
    throw new HttpProblem(422, 'InvalidRequest', what);
  }
  return d.kubeconfigs.make(await known(d, key), request.data);
}

async function known(d: InternalDeps, key: string): Promise<Cluster> {
  const cluster = await d.cluster(key);
  if (!cluster) throw new HttpProblem(404, 'ClusterUnknown', `there is no cluster ${key}`);
  return cluster;
}

/**
 * Serves user-data and what a drain would move to the provisioner, and kubeconfigs, running steps and what is in the way of an upgrade to cluster-api, over mutual TLS: the caller's certificate must come from the internal
 * CA, and its CN says which service it is.
 *
 * @throws when the address cannot be bound
 */
export async function startInternalServer(
  o: { host: string; port: number; own: KeyedCertificate; ca: string } & InternalDeps,
): Promise<InternalServer> {
  const route = async (req: IncomingMessage, caller: string | undefined): Promise<unknown> => {
    const [, kind, namespace, name, what] = PATH.exec((req.url ?? '').split('?')[0] ?? '') ?? [];
    const wanted = `${req.method} ${kind} ${what}`;
    const only = (service: string): void => {
      if (caller !== service)
        throw new HttpProblem(403, 'Forbidden', `only ${service} may ask for this, not ${caller}`);
    };
    const key = `${namespace}/${name}`;
    if (wanted === 'GET machines user-data') {
      only('provisioner');
      return machineUserData(o, key);
    }
    if (wanted === 'POST clusters kubeconfig') {
      only('cluster-api');
      return clusterKubeconfig(o, key, await readJson(req, MAX_BODY));
    }
    if (wanted === 'GET clusters steps') {
      only('cluster-api');
      return { machines: o.steps(uidOf(await known(o, key))) };
    }
    if (wanted === 'POST clusters upgrade-checks') {
      only('cluster-api');
      return upgradeChecks(await known(o, key), await readJson(req, MAX_BODY), o.workload);
    }
    if (wanted === 'POST clusters disturbance') {
      only('provisioner');
      return disturbance(await known(o, key), await readJson(req, MAX_BODY), o.workload);
    }
    throw new HttpProblem(404, 'NotFound', 'no such path');
  };

  return await serveInternal({ ...o, service: 'bootstrap-worker', variable: 'SHOTO_BOOTSTRAP_ADDRESS', route });
}
