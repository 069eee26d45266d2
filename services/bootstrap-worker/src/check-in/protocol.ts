import { z } from 'zod';

const line = (max: number) => z.string().max(max);

/** What a machine says when it checks in. Unknown fields are ignored: a machine may be newer than this service. */
export const CheckInRequest = z.object({
  ticket: z.string().min(1).max(256),
  instance: z.object({
    id: line(64),
    addresses: z.array(line(64)).max(32),
    hostname: line(255).optional(),
  }),
  has: z.record(line(63), line(64).nullable()).default({}),
});
export type CheckInRequest = z.output<typeof CheckInRequest>;

/** Images of kubeadm's own addons, as kubeadm of the machine's release names them. */
export const AddonImages = z.object({ coreDNS: line(255).min(1), kubeProxy: line(255).min(1) });
export type AddonImages = z.output<typeof AddonImages>;

/** What a machine says of one of its steps. */
export const StepReport = z.object({
  step: z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
  state: z.enum(['running', 'done', 'failed']),
  startedAt: z.iso.datetime({ offset: true }).max(40),
  finishedAt: z.iso.datetime({ offset: true }).max(40).optional(),
  log: z.string().max(8192).optional(),
  images: AddonImages.optional().catch(undefined).describe('With the step `joined` of a control-plane machine.'),
});
export type StepReport = z.output<typeof StepReport>;

/** One file that a machine writes. */
export interface PlannedFile {
  path: string;
  /** Octal, `0600`. */
  mode: string;
  /** base64. */
  content: string;
  /** Removed once the machine has joined. */
  temporary?: boolean;
}

/** One command that a machine runs. */
export interface PlannedStep {
  name: string;
  command: string[];
  timeoutSeconds: number;
}

/** Everything that a machine needs to become a node. */
export interface InstallPlan {
  action: 'install';
  machine: { name: string; namespace: string; cluster: string };
  role: 'control-plane' | 'worker';
  /** Whether it makes the cluster (`kubeadm init`), or joins one. */
  init: boolean;
  kubernetesVersion: string;
  /** Where kubeadm's images come from. A control-plane machine asks kubeadm by it which images its addons have. */
  imageRepository?: string;
  node: {
    name: string;
    labels: Record<string, string>;
    taints?: { key: string; value?: string | undefined; effect: string }[];
  };
  /** `host:port` of the API server as machines reach it. */
  endpoint: string;
  files: PlannedFile[];
  artifacts: { name: string; url: string; sha256: string; path: string; mode: string }[];
  steps: PlannedStep[];
  /** Run first when an earlier attempt on this machine began and did not end. */
  cleanup: PlannedStep;
}

/** What a machine is told. */
export type CheckInAnswer =
  | InstallPlan
  | { action: 'wait'; reason: string; message: string; retryAfterMs: number }
  | { action: 'done' };

/** Why a machine is refused. */
export type RefusalReason =
  | 'CertificateMissing'
  | 'TicketInvalid'
  | 'TicketExpired'
  | 'TicketUsed'
  | 'KeyInUse'
  | 'KeyUnknown'
  | 'MachineUnknown'
  | 'MachineDeleted'
  | 'ClusterDeleted'
  | 'AddressMismatch';

/** A machine is refused: 403, and nothing is handed out. */
export class Refusal extends Error {
  readonly reason: RefusalReason;
  /** `namespace/name` of the Machine, where the ticket proved to be of one. */
  readonly machine: string | undefined;
  constructor(reason: RefusalReason, message: string, machine?: string) {
    super(message);
    this.name = 'Refusal';
    this.reason = reason;
    this.machine = machine;
  }
}
