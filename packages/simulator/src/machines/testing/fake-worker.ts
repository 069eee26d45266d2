import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createAuthority, createKeyPair, issue, type KeyedCertificate, kubeconfig, publicKeyHash } from '@shoto/pki';
import { stringify } from 'yaml';

/** A cluster's keys, as bootstrap-worker makes them. */
interface Pki {
  ca: KeyedCertificate;
  frontProxyCa: KeyedCertificate;
  etcdCa: KeyedCertificate;
  sa: { privateKey: string; publicKey: string };
}

/** What a machine that shows a ticket is told. `pki` is of its cluster, if that is not the one of {@link FakeWorker.pki}; `after` the machine to wait for. */
type Task = { pki?: Pki; after?: string; artifacts?: object[] } & (
  | { role: 'init'; name: string; address: string; endpoint: string; sans: string[]; cluster?: object }
  | {
      role: 'worker' | 'control-plane';
      name: string;
      address: string;
      endpoint: string;
      token: string;
      taints?: object[];
    }
);

/** A step as it was reported. */
interface Reported {
  machine: string;
  step: string;
  state: string;
  log: string | undefined;
  /** Images of kubeadm's addons; with the last report only. */
  images: unknown;
}

/** A bootstrap-worker for tests: the real protocol over real TLS, with answers made to order. */
export class FakeWorker {
  readonly reports: Reported[] = [];
  /** Tickets that were refused, in order. */
  readonly refused: string[] = [];
  readonly tasks = new Map<string, Task>();
  readonly pki: Pki;
  readonly #ca: KeyedCertificate;
  readonly #server: Server;
  readonly #machines = new Map<string, string>();

  private constructor(pki: Pki, ca: KeyedCertificate, serving: KeyedCertificate) {
    this.pki = pki;
    this.#ca = ca;
    this.#server = createServer(
      { cert: serving.certificate, key: serving.key, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.#answer(request, response),
    );
  }

  static async start(): Promise<FakeWorker> {
    const ca = await createAuthority('check-in-ca');
    const serving = await issue(ca, {
      commonName: 'check-in',
      usages: ['server'],
      ipAddresses: ['127.0.0.1'],
      seconds: 3600,
    });
    const pki = {
      ca: await createAuthority('kubernetes'),
      frontProxyCa: await createAuthority('front-proxy-ca'),
      etcdCa: await createAuthority('etcd-ca'),
      sa: await createKeyPair(),
    };
    const worker = new FakeWorker(pki, ca, serving);
    await new Promise<void>((resolve) => worker.#server.listen(0, '127.0.0.1', resolve));
    return worker;
  }

  /** User-data of a machine with this ticket. */
  userData(ticket: string, ca = this.#ca.certificate): string {
    const url = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const content = JSON.stringify({ version: 1, url, caCertificate: ca, ticket });
    return `#cloud-config\n${stringify({ write_files: [{ path: '/etc/shoto/check-in.json', permissions: '0600', content }] })}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as Record<string, string>;
    const send = (status: number, json?: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(json ? JSON.stringify(json) : undefined);
    };
    if (!certificate) return send(403, { reason: 'CertificateMissing', detail: '' });
    const key = publicKeyHash(certificate.raw);
    if (request.url === '/v1/steps') {
      const machine = this.#machines.get(key) ?? '?';
      this.reports.push({
        machine,
        step: body.step ?? '',
        state: body.state ?? '',
        log: body.log,
        images: body.images,
      });
      return send(204);
    }
    const task = this.tasks.get(body.ticket ?? '');
    if (!task) {
      this.refused.push(body.ticket ?? '');
      return send(403, { reason: 'TicketInvalid', detail: 'the ticket is not one of ours' });
    }
    this.#machines.set(key, task.name);
    const isUp = this.reports.some(
      (r) => r.step === 'joined' && (task.after === undefined || r.machine === task.after),
    );
    if (task.role !== 'init' && !isUp)
      return send(200, { action: 'wait', reason: 'WaitingForControlPlane', message: 'not up yet', retryAfterMs: 10 });
    send(200, this.#plan(task));
  }

  #plan(task: Task): object {
    const file = (path: string, content: string): object => ({
      path,
      mode: '0600',
      content: Buffer.from(content).toString('base64'),
    });
    const { ca, frontProxyCa, etcdCa, sa } = task.pki ?? this.pki;
    const dir = '/etc/kubernetes/pki';
    const pair = (name: string, c: KeyedCertificate): object[] => [
      file(`${dir}/${name}.crt`, c.certificate),
      file(`${dir}/${name}.key`, c.key),
    ];
    const keys = [
      ...pair('ca', ca),
      ...pair('front-proxy-ca', frontProxyCa),
      ...pair('etcd/ca', etcdCa),
      file(`${dir}/sa.key`, sa.privateKey),
      file(`${dir}/sa.pub`, sa.publicKey),
    ];
    const init = task.role === 'init';
    const discovery = kubeconfig({
      cluster: 'web',
      server: `https://${task.endpoint}`,
      ca: ca.certificate,
      user: 'discovery',
    });
    return {
      action: 'install',
      machine: { name: task.name, namespace: 'tenant-demo', cluster: 'web' },
      role: task.role === 'worker' ? 'worker' : 'control-plane',
      init,
      kubernetesVersion: 'v1.35.4',
      node: { name: task.name, labels: {} },
      endpoint: task.endpoint,
      ...(task.role === 'worker' ? {} : { imageRepository: 'registry.k8s.io' }),
      files: [
        ...(task.role === 'worker' ? [] : keys),
        ...(init ? [] : [file('/etc/shoto/discovery.yaml', discovery)]),
        file('/etc/shoto/kubeadm.yaml', kubeadmYaml(task)),
      ],
      artifacts: task.artifacts ?? [],
      steps: [
        {
          name: init ? 'kubeadm-init' : 'kubeadm-join',
          command: ['kubeadm', init ? 'init' : 'join', '--config', '/etc/shoto/kubeadm.yaml'],
          timeoutSeconds: 600,
        },
      ],
      cleanup: { name: 'kubeadm-reset', command: ['kubeadm', 'reset', '--force'], timeoutSeconds: 180 },
    };
  }
}

function kubeadmYaml(task: Task): string {
  const apiVersion = 'kubeadm.k8s.io/v1beta4';
  const nodeRegistration = {
    name: task.name,
    kubeletExtraArgs: [
      { name: 'node-labels', value: 'shoto.dev/pool=default,topology.kubernetes.io/zone=az1' },
      { name: 'provider-id', value: `openstack:///id-of-${task.name}` },
    ],
    ...('taints' in task && task.taints ? { taints: task.taints } : {}),
  };
  const localAPIEndpoint = { advertiseAddress: task.address, bindPort: 6443 };
  const documents: Record<string, unknown>[] =
    task.role === 'init'
      ? [
          {
            apiVersion,
            kind: 'InitConfiguration',
            nodeRegistration,
            localAPIEndpoint,
            bootstrapTokens: [{ token: 'aaaaaa.0123456789abcdef' }],
          },
          {
            apiVersion,
            kind: 'ClusterConfiguration',
            clusterName: 'web',
            kubernetesVersion: 'v1.35.4',
            controlPlaneEndpoint: task.endpoint,
            networking: { podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/12' },
            apiServer: { certSANs: task.sans },
            ...task.cluster,
          },
        ]
      : [
          {
            apiVersion,
            kind: 'JoinConfiguration',
            discovery: { file: { kubeConfigPath: '/etc/shoto/discovery.yaml' }, tlsBootstrapToken: task.token },
            nodeRegistration,
            ...(task.role === 'control-plane' ? { controlPlane: { localAPIEndpoint } } : {}),
          },
        ];
  return documents.map((d) => stringify(d)).join('---\n');
}
