import { createAuthority, type KeyedCertificate } from '@shoto/pki';
import type { Clock } from '../core/clock.ts';
import { fetchArtifact } from './artifacts.ts';
import { CheckInClient, Later, Refused } from './check-in-client.ts';
import { PowerLost, pause } from './pause.ts';
import { checkInAnswer, type InstallPlan, type PlannedStep, type Programs } from './protocol.ts';
import { StepFailed } from './step-failed.ts';
import type { CheckInFile } from './user-data.ts';

/** What of the agent survives a reboot. */
export interface AgentState {
  /** The machine's own key and certificate; made at first boot. */
  identity?: KeyedCertificate;
  /** Whether an installation has begun. */
  started: boolean;
  /** Steps that have ended well. */
  done: string[];
  joined: boolean;
}

/** The machine that an agent works on. */
export interface AgentHost {
  clock: Clock;
  instance: { id: string; addresses: string[]; hostname: string };
  programs(): Programs;
  /** Puts a downloaded program in place. */
  install(name: string, path: string, version: string): void;
  writeFile(path: string, content: Buffer): void;
  removeFile(path: string): void;
  /** Runs a command; gives its output. @throws {StepFailed} */
  run(step: PlannedStep, power: AbortSignal): Promise<void>;
  /** What `kubeadm config images list` tells of kubeadm's own addons; undefined where there is no kubeadm. */
  addonImages(version: string, repository: string): { coreDNS: string; kubeProxy: string } | undefined;
  say(line: string): void;
}

const REFUSED_MS = 60_000;
const LOG_LINES = 40;

/** Checks in and installs until the machine has joined. @throws {PowerLost} */
export async function runAgent(
  file: CheckInFile,
  state: AgentState,
  host: AgentHost,
  power: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!state.joined) {
    let wait: number;
    try {
      await attempt(file, state, host, power);
      return;
    } catch (error) {
      if (power.aborted || error instanceof PowerLost) throw new PowerLost();
      if (error instanceof Later) {
        failures = 0;
        wait = error.afterMs;
        host.say(`shoto-machine[512]: waiting: ${error.message}`);
      } else if (error instanceof Refused) {
        wait = REFUSED_MS;
        host.say(`shoto-machine[512]: refused: ${error.message}`);
      } else {
        failures++;
        wait = Math.min(1000 * 2 ** Math.min(failures, 8), 300_000);
        host.say(`shoto-machine[512]: failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    await pause(host.clock, wait, power);
  }
}

async function attempt(file: CheckInFile, state: AgentState, host: AgentHost, power: AbortSignal): Promise<void> {
  // A CA of its own and nobody else's: only the key in it counts.
  state.identity ??= await createAuthority('shoto-machine');
  const client = new CheckInClient(file, state.identity);
  try {
    const answer = checkInAnswer.parse(
      await client.post('/v1/check-in', { ticket: file.ticket, instance: host.instance, has: host.programs() }, power),
    );
    if (answer.action === 'wait') throw new Later(`${answer.reason}: ${answer.message}`, answer.retryAfterMs);
    if (answer.action === 'install') await install(client, answer, state, host, power);
    state.joined = true;
    host.say('shoto-machine[512]: joined');
  } finally {
    client.close();
  }
}

async function install(
  client: CheckInClient,
  plan: InstallPlan,
  state: AgentState,
  host: AgentHost,
  power: AbortSignal,
): Promise<void> {
  const now = (): string => new Date(host.clock.now()).toISOString();
  const report = async (body: object): Promise<void> => {
    try {
      await client.post('/v1/steps', body, power);
    } catch (error) {
      if (power.aborted) throw new PowerLost();
      host.say(`shoto-machine[512]: report not taken: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const reported = async (step: string, work: () => Promise<void>): Promise<void> => {
    const startedAt = now();
    await report({ step, state: 'running', startedAt });
    try {
      await work();
    } catch (error) {
      if (power.aborted || error instanceof PowerLost) throw new PowerLost();
      const log = error instanceof StepFailed ? error.log : [error instanceof Error ? error.message : String(error)];
      await report({ step, state: 'failed', startedAt, finishedAt: now(), log: log.slice(-LOG_LINES).join('\n') });
      throw error;
    }
    await report({ step, state: 'done', startedAt, finishedAt: now() });
  };

  const left = plan.steps.filter((s) => !state.done.includes(s.name));
  if (left.length > 0 && state.started && plan.cleanup) await host.run(plan.cleanup, power);
  if (left.length > 0) {
    if (plan.artifacts.length > 0)
      await reported('download', async () => {
        for (const artifact of plan.artifacts) {
          await fetchArtifact(artifact, power);
          host.install(artifact.name, artifact.path, plan.kubernetesVersion);
        }
      });
    for (const f of plan.files) host.writeFile(f.path, Buffer.from(f.content, 'base64'));
    state.started = true;
  }
  for (const step of left) {
    await reported(step.name, () => host.run(step, power));
    state.done.push(step.name);
  }
  const images =
    plan.role === 'control-plane' && plan.imageRepository
      ? host.addonImages(plan.kubernetesVersion, plan.imageRepository)
      : undefined;
  const moment = now();
  const joined = {
    step: 'joined',
    state: 'done',
    startedAt: moment,
    finishedAt: moment,
    ...(images ? { images } : {}),
  };
  await client.post('/v1/steps', joined, power);
  for (const f of plan.files) if (f.temporary) host.removeFile(f.path);
}
