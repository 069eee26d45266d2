import type { Registry } from 'prom-client';
import { ConfigError } from './config.ts';
import { createLogger, type Logger } from './logger.ts';
import { createMetrics } from './metrics.ts';

/** What `main` of a service gets. */
export interface ServiceContext {
  env: Readonly<Record<string, string | undefined>>;
  log: Logger;
  metrics: Registry;
  /**
   * Registers what to close at the end. Called in reverse order of registration, one after the other: what was
   * made last depends on what was made first.
   */
  onShutdown(close: () => Promise<void> | void): void;
  /** Aborted when the service shall stop. */
  signal: AbortSignal;
}

/** The parts of a process that `runService` touches; replaced in tests. */
export interface ProcessLike {
  env: Readonly<Record<string, string | undefined>>;
  on(event: string, listener: (arg: unknown) => void): unknown;
  off(event: string, listener: (arg: unknown) => void): unknown;
  exit(code: number): void;
  stderr: { write(text: string): unknown };
}

/** Exit code of a configuration that cannot work (EX_CONFIG of sysexits.h): a restart will not help. */
const EXIT_CONFIG = 78;

/**
 * Runs one service from start to end: the only place that touches the process.
 *
 * - `main` sets everything up and returns; the service then lives until SIGTERM or SIGINT.
 * - On the signal: `signal` is aborted, what `onShutdown` got is closed in reverse order, exit 0. A second signal exits
 *   at once with 1. If closing takes longer than `graceMs`, exit 1 and a line that says so.
 * - A {@link ConfigError} prints all its problems to standard error and exits with 78; another error of `main`, or one
 *   that nobody caught, is logged, everything is closed, exit 1.
 *
 * @param graceMs - time for a clean stop; default 30 000
 */
export async function runService(o: {
  name: string;
  main: (ctx: ServiceContext) => Promise<void>;
  graceMs?: number;
  process?: ProcessLike;
}): Promise<void> {
  const proc: ProcessLike = o.process ?? process;
  const log = createLogger({ service: o.name, level: proc.env.SHOTO_LOG_LEVEL || 'info' });
  const stop = new AbortController();
  const closers: (() => Promise<void> | void)[] = [];
  let ending: Promise<void> | undefined;

  const end = (code: number): Promise<void> => {
    ending ??= (async () => {
      stop.abort(new Error(`${o.name} is stopping`));
      const late = setTimeout(() => {
        log.error({ graceMs: o.graceMs ?? 30_000 }, 'did not stop in time');
        proc.exit(1);
      }, o.graceMs ?? 30_000);
      for (const close of closers.reverse()) {
        try {
          await close();
        } catch (err) {
          log.error({ err }, 'error while stopping');
        }
      }
      clearTimeout(late);
      for (const [event, listener] of listeners) proc.off(event, listener);
      log.info('stopped');
      proc.exit(code);
    })();
    return ending;
  };
  const onSignal = (): void => {
    if (ending) {
      proc.exit(1);
      return;
    }
    log.info('stopping');
    void end(0);
  };
  const onCrash = (err: unknown): void => {
    log.fatal({ err }, 'error that nobody caught');
    void end(1);
  };
  const listeners: [string, (arg: unknown) => void][] = [
    ['SIGTERM', onSignal],
    ['SIGINT', onSignal],
    ['uncaughtException', onCrash],
    ['unhandledRejection', onCrash],
  ];
  for (const [event, listener] of listeners) proc.on(event, listener);

  try {
    const onShutdown = (close: () => Promise<void> | void): void => void closers.push(close);
    await o.main({ env: proc.env, log, metrics: createMetrics(o.name), onShutdown, signal: stop.signal });
  } catch (err) {
    if (ending) return; // stopped while starting
    if (err instanceof ConfigError) {
      proc.stderr.write(`${err.message}\n`);
      await end(EXIT_CONFIG);
    } else {
      log.fatal({ err }, 'cannot start');
      await end(1);
    }
  }
}
