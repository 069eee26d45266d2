import { type DestinationStream, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino';

export type { Logger } from 'pino';

/** Fields that are never written out, at the top of a line and one or two levels down. */
const SECRET_FIELDS = [
  'token',
  'ticket',
  'password',
  'secret',
  'authorization',
  'Authorization',
  'kubeconfig',
  'userData',
  'privateKey',
  'key-data',
  'clientKey',
  'cookie',
  'x-auth-token',
  'X-Auth-Token',
  'stringData',
];
const redact = {
  paths: SECRET_FIELDS.flatMap((f) => {
    const name = /^[A-Za-z]+$/.test(f) ? f : `["${f}"]`;
    const sub = name.startsWith('[') ? name : `.${name}`;
    return [name, `*${sub}`, `*.*${sub}`];
  }),
  censor: '[redacted]',
};

/**
 * JSON logs, one object a line: `level` (name), `time` (RFC 3339), `service`, `msg`, and the line's fields.
 * Work on a cluster logs through `log.child({ cluster: 'tenant-a/web' })`, so that each of its lines says which.
 *
 * @param level - default `info`
 * @param destination - default standard output
 */
export function createLogger(o: { service: string; level?: string; destination?: DestinationStream }): Logger {
  const options: LoggerOptions = {
    level: o.level ?? 'info',
    base: { service: o.service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact,
  };
  return o.destination ? pino(options, o.destination) : pino(options);
}
