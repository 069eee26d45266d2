import { badRequest, StatusError } from '../status.ts';
import type { Json, KubeObject } from '../types.ts';
import { at, list, record, text } from '../util/json.ts';
import type { Exchange } from './exchange.ts';
import { WebSocketConnection } from './websocket.ts';

/** What a command in a container printed, and how it ended. */
export interface Executed {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** A command to run: who asks for it has been let in. */
export interface ExecRequest {
  pod: KubeObject;
  container: string;
  command: string[];
}

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;

/** The container that a request names, or the only one. @throws {StatusError} */
function containerOf(pod: KubeObject, wanted: string | null): string {
  const names = list(at(pod, 'spec', 'containers')).map((c) => text(record(c).name));
  const { name } = pod.metadata;
  if (wanted) {
    if (names.includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  const usual = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (names.length === 1 || usual) return usual ?? (names[0] as string);
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`);
}

/** The object of the status channel. */
function statusOf(done: Executed | StatusError): Json {
  if (done instanceof StatusError)
    return {
      metadata: {},
      status: 'Failure',
      message: done.message,
      reason: done.reason,
      details: done.details,
      code: done.code,
    };
  if (done.exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${done.exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(done.exitCode) }] },
  };
}

/**
 * Answers `pods/exec` over a WebSocket, in Kubernetes' remotecommand protocol: a message's first byte is its channel.
 *
 * @param run - throws a StatusError at once when there is no kubelet to ask; gives one when the kubelet cannot start the command
 * @throws {StatusError} while the answer can still be a plain one
 */
export async function handleExec(
  x: Exchange,
  pod: KubeObject,
  run: (r: ExecRequest) => Promise<Executed | StatusError>,
): Promise<void> {
  const { query } = x.info;
  const command = query.getAll('command');
  const is = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  if (!['stdin', 'stdout', 'stderr'].some(is))
    throw badRequest('you must specify at least one of stdin, stdout, stderr');
  const container = containerOf(pod, query.get('container'));
  if (!x.upgrade) throw badRequest('Upgrade request required');
  const running = run({ pod, container, command });
  const { socket, head } = x.upgrade;
  const connection = WebSocketConnection.accept(x.request, socket, head, PROTOCOLS);
  if (!connection)
    throw badRequest(`unable to upgrade: the WebSocket's subprotocol must be one of ${PROTOCOLS.join(', ')}`);
  x.upgrade.taken = true;
  const say = (channel: number, what: string): void => {
    connection.send(Buffer.concat([Buffer.from([channel]), Buffer.from(what)]));
  };
  for (const channel of [STDOUT, STDERR, STATUS]) say(channel, '');
  const done = await running;
  if (!(done instanceof StatusError)) {
    if (is('stdout') && done.stdout !== '') say(STDOUT, done.stdout);
    if (is('stderr') && done.stderr !== '') say(STDERR, done.stderr);
  }
  say(STATUS, JSON.stringify(statusOf(done)));
  connection.close();
}
