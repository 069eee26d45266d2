import { type ClusterScene, expectThat } from './scene.ts';

/**
 * Every control-plane machine is a healthy voting member of etcd, and nobody else is a member.
 *
 * @param controlPlanes - names of their nodes
 * @throws Error that says what etcd has instead
 */
export async function etcdIsHealthy({ kubectl, say }: ClusterScene, controlPlanes: string[]): Promise<void> {
  const pki = '/etc/kubernetes/pki/etcd';
  const certificates = ['--cacert', `${pki}/ca.crt`, '--cert', `${pki}/server.crt`, '--key', `${pki}/server.key`];
  const etcdctl = (...args: string[]) => {
    const pod = `etcd-${controlPlanes[0]}`;
    const command = ['etcdctl', '--endpoints', 'https://127.0.0.1:2379', ...certificates, ...args];
    return kubectl(['-n', 'kube-system', 'exec', pod, '--', ...command]);
  };
  const { members } = JSON.parse(await etcdctl('member', 'list', '-w', 'json')) as {
    members: { name: string; isLearner?: boolean }[];
  };
  const health = JSON.parse(await etcdctl('endpoint', 'health', '--cluster', '-w', 'json')) as {
    endpoint: string;
    health: boolean;
    took: string;
  }[];
  const voters = members
    .filter((m) => !m.isLearner)
    .map((m) => m.name)
    .sort();
  expectThat(
    JSON.stringify(voters) === JSON.stringify([...controlPlanes].sort()) && members.length === voters.length,
    `etcd should have the voting members ${controlPlanes.join(', ')}: ${JSON.stringify(members)}`,
  );
  expectThat(
    health.length === controlPlanes.length && health.every((h) => h.health),
    `etcd is not healthy: ${JSON.stringify(health)}`,
  );
  say(`etcd: ${members.length} members, healthy in ${health.map((h) => h.took).join(', ')}`);
}
