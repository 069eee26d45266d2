import type { KeyedCertificate } from '@shoto/pki';
import { belongsTogether, serviceAddress } from '../cluster/pki.ts';
import { coreDns, kubeProxyDaemonSet } from './addons.ts';
import { ConfigurationError, readInit } from './config.ts';
import { kubeadmImages, minorOf } from './images.ts';
import { configMaps, type Manifest, rbacObjects, tokenSecrets } from './objects.ts';
import { checkControlPlaneVersion, type KubeadmHost, type Membership, needPrograms, Output, spend } from './run.ts';

const PKI = '/etc/kubernetes/pki';
/** DNS is the tenth address of the service range. */
const DNS_ADDRESS = 10;

function authority(host: KubeadmHost, out: Output, name: string): KeyedCertificate {
  const certificate = host.read(`${PKI}/${name}.crt`);
  const key = host.read(`${PKI}/${name}.key`);
  if (!certificate || !key)
    throw out.fail(
      `error execution phase certs/${name}: couldn't load ${name} certificate authority from ${PKI}: the file is missing`,
    );
  if (!belongsTogether(key, certificate))
    throw out.fail(
      `error execution phase certs/${name}: failure loading ${name} certificate: the certificate and the key do not belong together`,
    );
  return { certificate, key };
}

/** The certificate authorities and the service-account key that a control-plane machine was given. @throws {StepFailed} */
export function givenPki(host: KubeadmHost, out: Output): { ca: KeyedCertificate; serviceAccountKey: string } {
  const ca = authority(host, out, 'ca');
  authority(host, out, 'front-proxy-ca');
  authority(host, out, 'etcd/ca');
  const key = host.read(`${PKI}/sa.key`);
  const pub = host.read(`${PKI}/sa.pub`);
  if (!key || !pub || !belongsTogether(key, pub))
    throw out.fail('error execution phase certs/sa: the service-account key pair is missing or does not fit together');
  return { ca, serviceAccountKey: key };
}

/** `kubeadm init`: makes a cluster, in its steps. @throws {StepFailed} {PowerLost} */
export async function kubeadmInit(host: KubeadmHost, configPath: string, power: AbortSignal): Promise<Membership> {
  const out = new Output((line) => host.say(line));
  const total = host.latency.sample('machine.kubeadm.init', () => host.serverId);
  const programs = needPrograms(host, out);
  const config = host.read(configPath);
  if (config === undefined)
    throw out.fail(`unable to read config from ${configPath}: open ${configPath}: no such file or directory`);
  let documents: ReturnType<typeof readInit>;
  try {
    documents = readInit(config, configPath);
  } catch (error) {
    if (error instanceof ConfigurationError) throw out.fail(error.message);
    throw error;
  }
  const { init, cluster: configuration } = documents;
  const version = configuration.kubernetesVersion;
  out.print(`[init] Using Kubernetes version: ${version}`, '[preflight] Running pre-flight checks');
  if (host.dirty())
    throw out.preflight(
      'FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml]: /etc/kubernetes/manifests/kube-apiserver.yaml already exists',
      'DirAvailable--var-lib-etcd]: /var/lib/etcd is not empty',
    );
  checkControlPlaneVersion(version, programs.kubeadm, out);
  if (minorOf(programs.kubelet) > minorOf(version))
    throw out.preflight(
      `KubeletVersion]: the kubelet version is higher than the control plane version. This is not a supported version skew and may lead to a malfunctional cluster. Kubelet version: "${programs.kubelet.slice(1)}" Control plane version: "${version.slice(1)}"`,
    );
  await spend(host, total * 0.2, power);
  host.soil();
  out.print(`[certs] Using certificateDir folder "${PKI}"`);
  const { ca, serviceAccountKey } = givenPki(host, out);
  out.print(
    '[certs] Using existing ca certificate authority',
    '[certs] Generating "apiserver" certificate and key',
    '[certs] Using existing front-proxy-ca certificate authority',
    '[certs] Using existing etcd/ca certificate authority',
    '[certs] Using the existing "sa" key',
    '[kubeconfig] Writing "admin.conf" kubeconfig file',
    '[control-plane] Using manifest folder "/etc/kubernetes/manifests"',
    '[kubelet-start] Starting the kubelet',
    '[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods',
  );
  await spend(host, total * 0.6, power);

  const address = init.localAPIEndpoint.advertiseAddress || host.address;
  const registration = init.nodeRegistration;
  const cluster = host.clusters.make({ ca, serviceAccountKey, configuration });
  cluster.memberUp({ serverId: host.serverId, nodeName: registration.name, address, version });
  // What was started goes down with the machine, though kubeadm has not ended.
  const down = (): void => cluster.memberGone(host.serverId);
  power.addEventListener('abort', down);
  out.print('[control-plane-check] kube-apiserver is healthy after 5.003s');
  const endpoint = configuration.controlPlaneEndpoint || `${address}:6443`;
  const dns = serviceAddress(configuration.networking.serviceSubnet, DNS_ADDRESS);
  const post = (objects: readonly Manifest[]): void => {
    for (const object of objects) cluster.workloads.create(object);
  };
  post(rbacObjects);
  post(configMaps({ ...documents, ca: ca.certificate, endpoint, dns }));
  post(tokenSecrets(init, host.clock.now()));
  out.print(
    '[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the "kube-system" Namespace',
    '[kubelet] Creating a ConfigMap "kubelet-config" in namespace kube-system with the configuration for the kubelets in the cluster',
    `[mark-control-plane] Marking the node ${registration.name} as control-plane`,
    '[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to get nodes',
  );
  await spend(host, total * 0.2, power);
  power.removeEventListener('abort', down);
  const images = kubeadmImages(configuration.imageRepository, version, programs.kubeadm);
  post([...coreDns(images.coreDNS, dns), kubeProxyDaemonSet(images.kubeProxy)]);
  out.print(
    '[addons] Applied essential addon: CoreDNS',
    '[addons] Applied essential addon: kube-proxy',
    'Your Kubernetes control-plane has initialized successfully!',
  );
  return {
    cluster,
    role: 'control-plane',
    registration,
    address,
    kubeletVersion: programs.kubelet,
    controlPlane: { version, images },
  };
}
