import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, kubeconfig } from '@shoto/pki';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { aCluster, aMachine, aRelease } from '../../test/builders.ts';
import { DISCOVERY_PATH, initDocuments, joinDocuments, MissingFactError } from './documents.ts';

const TOKEN = 'abcdef.0123456789abcdef';
const KUBEADM = join(homedir(), '.cache/shoto/kubernetes/v1.35.4/bin/kubeadm');
const cluster = aCluster();
const release = aRelease();
/** What a lab needs, as its release says it: cgroup v1, no conntrack. */
const labRelease = aRelease({
  imageRepository: 'registry.shoto.local/k8s',
  overrides: {
    initConfiguration: 'nodeRegistration: {ignorePreflightErrors: [SystemVerification]}',
    joinConfiguration: 'nodeRegistration: {ignorePreflightErrors: [SystemVerification]}',
    clusterConfiguration: 'apiServer: {certSANs: [api.example.org], extraArgs: [{name: profiling, value: "false"}]}',
    kubeletConfiguration: 'failCgroupV1: false\noomScoreAdj: 0',
    kubeProxyConfiguration: 'conntrack: {maxPerCore: 0, min: 0}\noomScoreAdj: 0',
  },
});
const worker = aMachine(cluster, {
  name: 'web-default-1',
  role: 'worker',
  spec: {
    labels: { tier: 'web', 'node-role.kubernetes.io/web': '', 'node.kubernetes.io/instance-type': 'm1.small' },
    taints: [{ key: 'dedicated', value: 'web', effect: 'NoSchedule' }],
  },
});
const joiner = aMachine(cluster, { name: 'web-cp-2' });

const CASES: [string, string][] = [
  ['init', initDocuments({ cluster, machine: aMachine(cluster), release }, TOKEN)],
  ['init-lab', initDocuments({ cluster, machine: aMachine(cluster), release: labRelease }, TOKEN)],
  ['join-worker', joinDocuments({ cluster, machine: worker, release }, TOKEN)],
  ['join-control-plane', joinDocuments({ cluster, machine: joiner, release: labRelease }, TOKEN)],
];

describe.each(CASES)('%s', (name, text) => {
  it('is the file that was looked through', async () => {
    await expect(text).toMatchFileSnapshot(`../../test/golden/${name}.v1.35.yaml`);
  });

  it.skipIf(!existsSync(KUBEADM))('is accepted by kubeadm 1.35', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'kubeadm-'));
    try {
      const ca = await createAuthority('kubernetes');
      const discovery = join(dir, 'discovery.yaml');
      await writeFile(
        discovery,
        kubeconfig({ cluster: 'web', server: 'https://10.8.0.5:6443', ca: ca.certificate, user: 'discovery' }),
      );
      await writeFile(join(dir, 'kubeadm.yaml'), text.replace(DISCOVERY_PATH, discovery));
      const { stdout, stderr } = await promisify(execFile)(KUBEADM, [
        'config',
        'validate',
        '--config',
        join(dir, 'kubeadm.yaml'),
      ]);
      expect(stdout).toContain('ok');
      expect(stderr).not.toMatch(/unknown field|deprecated/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

const read = (text: string) => Object.fromEntries(parseAllDocuments(text).map((d) => [d.toJS().kind, d.toJS()]));

it('reaches the API server by every name that the endpoint has, whatever a release asks for besides', () => {
  const { ClusterConfiguration } = read(
    initDocuments({ cluster, machine: aMachine(cluster), release: labRelease }, TOKEN),
  );
  expect(ClusterConfiguration.apiServer.certSANs).toEqual(['10.8.0.5', '203.0.113.7', 'api.example.org']);
  expect(ClusterConfiguration.controlPlaneEndpoint).toBe('10.8.0.5:6443');
});

it('keeps the own arguments of a kubelet beside those of a release', () => {
  const over = aRelease({
    overrides: { joinConfiguration: 'nodeRegistration: {kubeletExtraArgs: [{name: v, value: "4"}]}' },
  });
  const { JoinConfiguration } = read(joinDocuments({ cluster, machine: worker, release: over }, TOKEN));
  const args = Object.fromEntries(
    JoinConfiguration.nodeRegistration.kubeletExtraArgs.map((a: { name: string; value: string }) => [a.name, a.value]),
  );
  expect(args).toMatchObject({ v: '4', 'provider-id': 'openstack:///server-of-web-default-1' });
  // A kubelet that names a label of the kubernetes.io domain that is not its own does not start.
  expect(args['node-labels']).toBe(
    'node.kubernetes.io/instance-type=m1.small,shoto.dev/pool=default,tier=web,topology.kubernetes.io/region=north,topology.kubernetes.io/zone=nova',
  );
});

it('makes no token that opens anything: that of kubeadm init lives a minute, in a group without rights', () => {
  const { InitConfiguration } = read(initDocuments({ cluster, machine: aMachine(cluster), release }, TOKEN));
  expect(InitConfiguration.bootstrapTokens).toEqual([
    expect.objectContaining({ ttl: '1m0s', groups: ['system:bootstrappers:shoto:nobody'] }),
  ]);
});

it('leaves the taint of a control plane to kubeadm, and gives a worker only what was asked for', () => {
  const init = read(initDocuments({ cluster, machine: aMachine(cluster), release }, TOKEN));
  expect(init.InitConfiguration.nodeRegistration.taints).toBeUndefined();
  const plain = aMachine(cluster, { name: 'w', role: 'worker' });
  expect(
    read(joinDocuments({ cluster, machine: plain, release }, TOKEN)).JoinConfiguration.nodeRegistration.taints,
  ).toEqual([]);
});

it('cannot be made before the endpoint and the server are known', () => {
  const machine = aMachine(cluster);
  expect(() => initDocuments({ cluster: aCluster({ endpoint: false }), machine, release }, TOKEN)).toThrow(
    MissingFactError,
  );
  expect(() =>
    joinDocuments({ cluster, machine: aMachine(cluster, { server: { id: undefined } }), release }, TOKEN),
  ).toThrow(MissingFactError);
});

it('reads no golden file that is not made', async () => {
  const { readdir } = await import('node:fs/promises');
  const dir = new URL('../../test/golden/', import.meta.url);
  expect((await readdir(dir)).sort()).toEqual(CASES.map(([n]) => `${n}.v1.35.yaml`).sort());
  expect(await readFile(new URL('init.v1.35.yaml', dir), 'utf8')).toContain('kind: InitConfiguration');
});
