import { parse } from 'yaml';
import { z } from 'zod';
import { callWithToken } from '../cluster/call.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { clusterId } from '../cluster/pki.ts';
import { PowerLost } from '../pause.ts';
import { ConfigurationError, type JoinConfiguration, readJoin } from './config.ts';
import { kubeadmImages, minorOf } from './images.ts';
import { givenPki } from './init.ts';
import { checkEtcd, joinEtcd } from './join-etcd.ts';
import { checkControlPlaneVersion, type KubeadmHost, type Membership, needPrograms, Output, spend } from './run.ts';

/** How long `kubeadm join` waits for the API server: timeouts.discovery. */
const DISCOVERY_MS = 5 * 60_000;

const kubeconfig = z.looseObject({
  clusters: z
    .array(z.object({ cluster: z.looseObject({ server: z.string(), 'certificate-authority-data': z.string() }) }))
    .min(1),
});

const uploadedConfiguration = z.looseObject({
  kubernetesVersion: z.string().default(''),
  imageRepository: z.string().default('registry.k8s.io'),
});

interface Found {
  /** Key hashes of CAs that may vouch for the cluster. */
  ids: string[];
  server: string;
  token: string;
}

/** Where the cluster is and whom to trust, from the file or from the token. */
function discovery(host: KubeadmHost, out: Output, join: JoinConfiguration): Found {
  const { file, bootstrapToken, tlsBootstrapToken } = join.discovery;
  if (file) {
    const text = host.read(file.kubeConfigPath);
    const read = kubeconfig.safeParse(text === undefined ? undefined : parse(text));
    if (!read.success)
      throw out.fail(`discovery.file.kubeConfigPath: Invalid value: "${file.kubeConfigPath}": not a valid kubeconfig`);
    const first = read.data.clusters[0]!.cluster;
    const ca = Buffer.from(first['certificate-authority-data'], 'base64').toString();
    return { ids: [clusterId(ca)], server: first.server.replace(/^https:\/\//, ''), token: tlsBootstrapToken ?? '' };
  }
  if (!bootstrapToken) throw out.fail('discovery: Invalid value: "": bootstrapToken or file must be set');
  return {
    ids: bootstrapToken.caCertHashes.map((h) => h.replace(/^sha256:/, '')),
    server: bootstrapToken.apiServerEndpoint,
    token: tlsBootstrapToken ?? bootstrapToken.token,
  };
}

/** Whether machines of the cluster reach its API server there. */
const isEndpoint = (cluster: SimulatedCluster, server: string): boolean =>
  server === cluster.seed.configuration.controlPlaneEndpoint ||
  [...cluster.members.values()].some((m) => `${m.address}:6443` === server);

/** `kubeadm join`: of a worker, or of a further control-plane machine. @throws {StepFailed} {PowerLost} */
export async function kubeadmJoin(host: KubeadmHost, configPath: string, power: AbortSignal): Promise<Membership> {
  const out = new Output((line) => host.say(line));
  const programs = needPrograms(host, out);
  const text = host.read(configPath);
  if (text === undefined)
    throw out.fail(`unable to read config from ${configPath}: open ${configPath}: no such file or directory`);
  let join: JoinConfiguration;
  try {
    join = readJoin(text, configPath);
  } catch (error) {
    if (error instanceof ConfigurationError) throw out.fail(error.message);
    throw error;
  }
  const role = join.controlPlane ? 'control-plane' : 'worker';
  const total = host.latency.sample(
    role === 'worker' ? 'machine.kubeadm.join' : 'machine.kubeadm.join-control-plane',
    () => host.serverId,
  );
  out.print('[preflight] Running pre-flight checks');
  if (host.dirty())
    throw out.preflight(
      'FileAvailable--etc-kubernetes-kubelet.conf]: /etc/kubernetes/kubelet.conf already exists',
      'Port-10250]: Port 10250 is in use',
    );
  const found = discovery(host, out, join);
  const cluster = found.ids.map((id) => host.clusters.get(id)).find((c) => c !== undefined);
  const reached = cluster && isEndpoint(cluster, found.server) && (await cluster.whenUp(DISCOVERY_MS));
  if (power.aborted) throw new PowerLost();
  if (!cluster || !reached)
    throw out.fail(
      `error execution phase preflight: couldn't validate the identity of the API Server: failed to request the cluster-info ConfigMap: Get "https://${found.server}/api/v1/namespaces/kube-public/configmaps/cluster-info?timeout=10s": ${cluster ? `dial tcp ${found.server}: connect: connection refused` : 'tls: failed to verify certificate: x509: certificate signed by unknown authority'}`,
    );
  await spend(host, total * 0.3, power);
  const uploaded = await read(cluster, out, found.token, 'kubeadm-config');
  await read(cluster, out, found.token, 'kubelet-config');
  // What was uploaded counts: whoever upgrades by new machines changes it there first.
  const configuration = uploadedConfiguration.parse(parse(uploaded.ClusterConfiguration ?? ''));
  const version = configuration.kubernetesVersion;
  checkControlPlaneVersion(version, programs.kubeadm, out);
  checkKubelet(programs, out);
  host.soil();
  const result = {
    cluster,
    role,
    registration: join.nodeRegistration,
    address: join.controlPlane?.localAPIEndpoint.advertiseAddress || host.address,
    kubeletVersion: programs.kubelet,
  } as const;
  if (role === 'worker') {
    await startKubelet(host, out, { cluster, name: result.registration.name, ms: total * 0.7 }, power);
    out.print('This node has joined the cluster:');
    return result;
  }
  if (clusterId(givenPki(host, out).ca.certificate) !== cluster.id)
    throw out.fail('error execution phase control-plane-prepare/certs: the CA certificate is not that of the cluster');
  await checkEtcd(host, out, cluster, power);
  await startKubelet(host, out, { cluster, name: result.registration.name, ms: total * 0.3 }, power);
  await joinEtcd(
    host,
    out,
    { cluster, address: result.address, name: result.registration.name, version, total },
    power,
  );
  cluster.memberUp({
    serverId: host.serverId,
    nodeName: result.registration.name,
    address: result.address,
    version,
  });
  out.print('This node has joined the cluster and a new control plane instance was created:');
  const images = kubeadmImages(configuration.imageRepository, version, programs.kubeadm);
  return { ...result, controlPlane: { version, images } };
}

/** Lets the kubelet start and find its place in the cluster. */
async function startKubelet(
  host: KubeadmHost,
  out: Output,
  o: { cluster: SimulatedCluster; name: string; ms: number },
  power: AbortSignal,
): Promise<void> {
  checkNode(o.cluster, out, o.name);
  out.print(
    '[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"',
    '[kubelet-start] Starting the kubelet',
    '[kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. This can take up to 4m0s',
    '[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap',
  );
  await spend(host, o.ms, power);
}

/** Reads a ConfigMap as the bearer of the bootstrap token: authenticated and authorised by the cluster's own API server. */
async function read(
  cluster: SimulatedCluster,
  out: Output,
  token: string,
  name: string,
): Promise<Record<string, string>> {
  const path = `/api/v1/namespaces/kube-system/configmaps/${name}`;
  const { status, body } = await callWithToken(cluster.server, { method: 'GET', path, token });
  if (status === 200) return body.data as Record<string, string>;
  throw out.fail(
    `error execution phase preflight: unable to fetch the kubeadm-config ConfigMap: failed to get config map: ${String(body.message ?? `HTTP ${status}`)}`,
  );
}

/** Three minor versions older than kubeadm is the most. A kubelet that is newer than the control plane is not refused here. */
function checkKubelet(programs: { kubeadm: string; kubelet: string }, out: Output): void {
  if (minorOf(programs.kubelet) >= minorOf(programs.kubeadm) - 3) return;
  throw out.preflight(
    `KubeletVersion]: Kubelet version "${programs.kubelet.slice(1)}" is lower than kubeadm can support. Please upgrade kubelet`,
  );
}

function checkNode(cluster: SimulatedCluster, out: Output, name: string): void {
  if (cluster.workloads.isNodeReady(name))
    throw out.fail(
      `error execution phase kubelet-start: a Node with name "${name}" and status "Ready" already exists in the cluster. You must delete the existing Node or change the name of this new joining Node`,
    );
}
