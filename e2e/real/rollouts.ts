import {
  connectionFromKubeconfig,
  DAEMONSETS,
  DEPLOYMENTS,
  type HasMeta,
  KubeClient,
  type ResourceType,
  STATEFULSETS,
} from '@shoto/kube';

interface Workload extends HasMeta {
  spec: { replicas?: number };
  status?: { observedGeneration?: number };
}

/** For each kind, what its controller says once all pods of a generation run. One node is pretended. */
const WORKLOADS: [ResourceType, (w: Workload) => object][] = [
  [DEPLOYMENTS, replicas],
  [STATEFULSETS, replicas],
  [
    DAEMONSETS,
    () => ({
      desiredNumberScheduled: 1,
      currentNumberScheduled: 1,
      updatedNumberScheduled: 1,
      numberAvailable: 1,
      numberReady: 1,
      numberMisscheduled: 0,
    }),
  ],
];

function replicas(w: Workload): object {
  const n = w.spec.replicas ?? 1;
  return { replicas: n, updatedReplicas: n, readyReplicas: n, availableReplicas: n, currentReplicas: n };
}

/**
 * Stands for the controllers and nodes that an API server alone has not: every workload is rolled out a moment after it was written.
 */
export class Rollouts {
  readonly #client: KubeClient;
  readonly #timer: NodeJS.Timeout;
  #pass: Promise<void> = Promise.resolve();

  private constructor(client: KubeClient) {
    this.#client = client;
    this.#timer = setInterval(() => {
      // The API server is away while it is moved.
      this.#pass = this.#pass.then(() => this.#all()).catch(() => {});
    }, 500);
  }

  static async start(kubeconfig: string): Promise<Rollouts> {
    return new Rollouts(
      new KubeClient({ connection: await connectionFromKubeconfig({ text: kubeconfig }), userAgent: 'test-rollouts' }),
    );
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pass;
    await this.#client.close();
  }

  async #all(): Promise<void> {
    for (const [type, statusOf] of WORKLOADS)
      for (const w of await this.#client.listAll<Workload>(type)) {
        const { generation } = w.metadata;
        if (w.status?.observedGeneration === generation) continue;
        const status = { ...statusOf(w), observedGeneration: generation };
        await this.#client.mergePatch(type, w.metadata, { status }, { subresource: 'status' });
      }
  }
}
