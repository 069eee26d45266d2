import { type KeyedCertificate, kubeconfig } from '@shoto/pki';
import { DISCOVERY_PATH, type Inputs, initDocuments, joinDocuments } from '../kubeadm/documents.ts';
import { nodeLabels } from '../kubeadm/node.ts';
import type { ClusterPki } from '../secrets/cluster-pki.ts';
import type { CheckInRequest, InstallPlan, PlannedFile, PlannedStep } from './protocol.ts';

const CONFIG = '/etc/shoto/kubeadm.yaml';
const KUBEADM_SECONDS = 600;
/** Undoes what a broken attempt left, so that kubeadm's checks pass; on a machine that never joined there is nothing to lose. */
const CLEANUP: PlannedStep = { name: 'kubeadm-reset', command: ['kubeadm', 'reset', '--force'], timeoutSeconds: 180 };

const file = (path: string, mode: string, content: string, temporary = false): PlannedFile => ({
  path,
  mode,
  content: Buffer.from(content).toString('base64'),
  ...(temporary ? { temporary } : {}),
});

/** The cluster's own secrets as files, for control-plane machines only. */
function pkiFiles(pki: ClusterPki): PlannedFile[] {
  const dir = '/etc/kubernetes/pki';
  const ca = (name: string, c: KeyedCertificate): PlannedFile[] => [
    file(`${dir}/${name}.crt`, '0644', c.certificate),
    file(`${dir}/${name}.key`, '0600', c.key),
  ];
  return [
    ...ca('ca', pki.ca),
    ...ca('front-proxy-ca', pki.frontProxyCa),
    ...ca('etcd/ca', pki.etcdCa),
    file(`${dir}/sa.key`, '0600', pki.serviceAccount.privateKey),
    file(`${dir}/sa.pub`, '0644', pki.serviceAccount.publicKey),
  ];
}

/** Artifacts that the machine does not have: another version of a Kubernetes binary, or none. */
function missingArtifacts({ release }: Inputs, has: CheckInRequest['has']): InstallPlan['artifacts'] {
  return release.spec.artifacts.filter(({ name }) => {
    if (!(name in has)) return true; // not asked about; the machine itself compares the digest of what lies there
    const version = has[name];
    return version === null || (name.startsWith('kube') && version !== release.spec.version);
  });
}

function planOf(
  i: Inputs,
  has: CheckInRequest['has'],
  kind: Pick<InstallPlan, 'init' | 'files' | 'steps'>,
): InstallPlan {
  const { machine, cluster, release } = i;
  return {
    action: 'install',
    machine: {
      name: machine.metadata.name,
      namespace: machine.metadata.namespace ?? '',
      cluster: cluster.metadata.name,
    },
    role: machine.spec.role,
    kubernetesVersion: release.spec.version,
    ...(machine.spec.role === 'control-plane' ? { imageRepository: release.spec.imageRepository } : {}),
    node: {
      name: machine.metadata.name,
      labels: nodeLabels(machine),
      ...(machine.spec.taints ? { taints: machine.spec.taints } : {}),
    },
    endpoint: cluster.status?.infrastructure.endpoint?.internal ?? '',
    artifacts: missingArtifacts(i, has),
    cleanup: CLEANUP,
    ...kind,
  };
}

/**
 * What the first control-plane machine gets.
 *
 * @param uselessToken - see `initDocuments`
 * @throws {OverrideError} {@link MissingFactError}
 */
export const initPlan = (i: Inputs, has: CheckInRequest['has'], pki: ClusterPki, uselessToken: string): InstallPlan =>
  planOf(i, has, {
    init: true,
    files: [...pkiFiles(pki), file(CONFIG, '0600', initDocuments(i, uselessToken), true)],
    steps: [
      {
        name: 'kubeadm-init',
        command: ['kubeadm', 'init', '--config', CONFIG, '--skip-token-print'],
        timeoutSeconds: KUBEADM_SECONDS,
      },
    ],
  });

/**
 * What every other machine gets. A worker gets none of the cluster's keys.
 *
 * @param token - bootstrap token of this machine alone
 * @throws {OverrideError} {@link MissingFactError}
 */
export function joinPlan(i: Inputs, has: CheckInRequest['has'], pki: ClusterPki, token: string): InstallPlan {
  const discovery = kubeconfig({
    cluster: i.cluster.metadata.name,
    server: `https://${i.cluster.status?.infrastructure.endpoint?.internal}`,
    ca: pki.ca.certificate,
    user: 'discovery',
  });
  return planOf(i, has, {
    init: false,
    files: [
      ...(i.machine.spec.role === 'control-plane' ? pkiFiles(pki) : []),
      file(DISCOVERY_PATH, '0600', discovery, true),
      file(CONFIG, '0600', joinDocuments(i, token), true),
    ],
    steps: [
      { name: 'kubeadm-join', command: ['kubeadm', 'join', '--config', CONFIG], timeoutSeconds: KUBEADM_SECONDS },
    ],
  });
}
