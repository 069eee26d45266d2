import { z } from 'zod';

/** The environment does not make a valid configuration. `message` lists every problem, never a secret's value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(service: string, problems: readonly string[]) {
    super(
      `${service} cannot start: ${problems.length} problem(s) in its environment\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const SECRET_NAME = /TOKEN(?!S_FILE|_FILE)|PASSWORD|SECRET(?!_FILE)|PRIVATE|CREDENTIAL/i;

/** A value as it may be shown: nothing of a secret, no password of a URL. */
function shown(name: string, value: string | undefined): string {
  if (value === undefined) return 'not set';
  if (value === '') return 'empty';
  if (SECRET_NAME.test(name)) return 'set (not shown)';
  const bare = value.replace(/(\/\/[^:/@\s]*):[^@\s]*@/g, '$1:***@');
  return JSON.stringify(bare.length > 200 ? `${bare.slice(0, 200)}...` : bare);
}

/**
 * Reads a service's configuration from its environment.
 *
 * @param schema - one field per variable, by the variable's name (`SHOTO_REDIS_URL: z.url()`); numbers and booleans
 *   with `z.coerce` or `z.stringbool()`; `.default()` for what may be left out; `.describe()` says how to mend it.
 *   A variable set to the empty string counts as not set.
 * @param env - usually `process.env`
 * @throws {ConfigError} with all problems at once: variable, its value (never a secret), what is wrong, the mend.
 *   A variable that begins with `SHOTO_` and is not of this schema is not a problem: services share one `env` file.
 */
export function loadConfig<S extends z.ZodObject>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
  o: { service: string },
): z.output<S> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = env[name];
    if (value !== undefined && value !== '') given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0] ?? '(environment)');
    const field: unknown = schema.shape[name];
    const mend = field instanceof z.ZodType ? field.description : undefined;
    const isSet = given[name] !== undefined;
    // zod speaks of types where nothing was given; a rule of our own (custom) says itself why it needs the variable.
    if (!isSet && issue.code !== 'custom')
      return `${name} (${shown(name, env[name])}): required, and not set${mend ? `. ${mend}` : ''}`;
    // The issue text of some checks quotes the input: not for a secret.
    const what = SECRET_NAME.test(name) && isSet ? 'is not valid' : issue.message;
    return `${name} (${shown(name, env[name])}): ${what}${mend ? `. ${mend}` : ''}`;
  });
  throw new ConfigError(o.service, problems);
}

/** `host:port` as two values; port 0 lets the system choose. */
export const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'must be host:port, for example 127.0.0.1:8080')
  .transform((text, ctx) => {
    const at = text.lastIndexOf(':');
    const port = Number(text.slice(at + 1));
    if (port > 65_535) ctx.addIssue({ code: 'custom', message: 'must have a port of at most 65535' });
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port };
  });

/** The variables that every service has. Services extend it: `z.object({ ...commonConfig, SHOTO_X: ... })`. */
export const commonConfig = {
  SHOTO_KUBECONFIG: z.string().default('').describe('Path of a kubeconfig file; leave it out inside a cluster'),
  SHOTO_REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .default('redis://127.0.0.1:6379/0')
    .describe('Set it to redis://host:port/database'),
  SHOTO_OPS_ADDRESS: address.prefault('127.0.0.1:0').describe('Where /healthz, /readyz and /metrics listen, host:port'),
  SHOTO_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  SHOTO_SYSTEM_NAMESPACE: z.string().min(1).default('shoto-system'),
  SHOTO_INTERNAL_CA_FILE: z.string().default(''),
  SHOTO_INTERNAL_CERT_FILE: z.string().default(''),
  SHOTO_INTERNAL_KEY_FILE: z.string().default(''),
};
