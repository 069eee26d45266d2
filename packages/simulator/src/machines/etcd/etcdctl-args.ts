/** A command line of etcdctl, taken apart. */
export interface EtcdctlArgs {
  /** Sub-command and its arguments: `member`, `remove`, `8e9e05c52164694d`. */
  words: string[];
  endpoints: string[];
  output: 'simple' | 'json' | 'fields' | 'protobuf' | 'table';
  hex: boolean;
  /** Ask all members, not only the endpoints that were given. */
  cluster: boolean;
  /** Whether an answer needs a quorum. */
  linearizable: boolean;
  /** Milliseconds. */
  commandTimeoutMs: number;
  cacert: string;
  cert: string;
  key: string;
}

/** etcdctl's own complaint about its command line, with its exit code. */
export class UsageError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const BAD_FEATURE = 4;
const FLAGS = ['hex', 'cluster', 'debug', 'insecure-transport', 'insecure-skip-tls-verify'];
const VALUES = [
  'endpoints',
  'cacert',
  'cert',
  'key',
  'command-timeout',
  'dial-timeout',
  'keepalive-time',
  'keepalive-timeout',
  'write-out',
  'consistency',
];
const OUTPUTS = ['simple', 'json', 'fields', 'protobuf', 'table'] as const;

/** Milliseconds of a Go duration such as `5s`. @throws {UsageError} */
function duration(flag: string, text: string): number {
  const unit: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, ns: 0.000001 };
  if (!/^(\d+(\.\d+)?(h|ms|m|s|us|ns))+$/.test(text))
    throw new UsageError(`invalid argument "${text}" for "--${flag}" flag: time: invalid duration "${text}"`);
  let sum = 0;
  for (const [, n, u] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)) sum += Number(n) * (unit[u as string] ?? 0);
  return sum;
}

/** Reads what follows `etcdctl`. @throws {UsageError} */
export function readEtcdctlArgs(args: readonly string[]): EtcdctlArgs {
  const words: string[] = [];
  const values = new Map<string, string>();
  const rest = [...args];
  for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
    if (!next.startsWith('-')) {
      words.push(next);
      continue;
    }
    const [flag = '', ...value] = next.replace(/^-w=?/, '--write-out=').replace(/=$/, '').replace(/^--/, '').split('=');
    if (FLAGS.includes(flag)) values.set(flag, value[0] ?? 'true');
    else if (!VALUES.includes(flag)) throw new UsageError(`unknown flag: ${next.split('=')[0]}`);
    else {
      const given = value.length > 0 ? value.join('=') : rest.shift();
      if (given === undefined) throw new UsageError(`flag needs an argument: ${next}`);
      values.set(flag, given);
    }
  }
  const output = OUTPUTS.find((o) => o === (values.get('write-out') ?? 'simple'));
  if (!output) throw new UsageError('unsupported output format', BAD_FEATURE);
  const timeout = values.get('command-timeout') ?? '5s';
  return {
    words,
    endpoints: (values.get('endpoints') ?? '127.0.0.1:2379').split(','),
    output,
    hex: values.get('hex') === 'true',
    cluster: values.get('cluster') === 'true',
    linearizable: values.get('consistency') !== 's',
    commandTimeoutMs: duration('command-timeout', timeout),
    cacert: values.get('cacert') ?? '',
    cert: values.get('cert') ?? '',
    key: values.get('key') ?? '',
  };
}
