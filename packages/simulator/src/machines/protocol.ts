import { z } from 'zod';

const step = z.object({ name: z.string(), command: z.array(z.string()).min(1), timeoutSeconds: z.number() });

/** What a machine is told to do: the answer to `POST /v1/check-in`. */
export const checkInAnswer = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('wait'),
    reason: z.string().default(''),
    message: z.string().default(''),
    retryAfterMs: z.number().min(0).default(1000),
  }),
  z.object({ action: z.literal('done') }),
  z.object({
    action: z.literal('install'),
    machine: z.object({ name: z.string(), namespace: z.string(), cluster: z.string() }),
    role: z.enum(['control-plane', 'worker']),
    init: z.boolean(),
    kubernetesVersion: z.string(),
    node: z.object({ name: z.string() }),
    endpoint: z.string(),
    /** Told to control planes, so that they tell which images of kubeadm's addons go with their version. */
    imageRepository: z.string().optional(),
    files: z.array(
      z.object({ path: z.string(), mode: z.string(), content: z.string(), temporary: z.boolean().default(false) }),
    ),
    artifacts: z.array(z.object({ name: z.string(), url: z.string(), sha256: z.string(), path: z.string() })),
    steps: z.array(step),
    cleanup: step.optional(),
  }),
]);

/** The answer that tells a machine to become a node. */
export type InstallPlan = Extract<z.output<typeof checkInAnswer>, { action: 'install' }>;
/** One command that a machine runs. */
export type PlannedStep = z.output<typeof step>;

/** Versions of the programs that a machine has; null where it lacks one. */
export interface Programs {
  kubeadm: string | null;
  kubelet: string | null;
  containerd: string | null;
}
