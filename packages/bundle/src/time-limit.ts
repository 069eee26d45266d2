import { createContext, Script } from 'node:vm';

const context = createContext({ f: undefined as undefined | (() => unknown) });
const call = new Script('f()');

/** What was to be computed took too long. */
export class TimeLimitError extends Error {
  constructor(ms: number) {
    super(`takes longer than ${ms} ms`);
    this.name = 'TimeLimitError';
  }
}

/**
 * Runs a synchronous function and ends it after a time: V8 stops it wherever it is, in a regular expression too. Costs about 0.15 ms.
 *
 * @throws {TimeLimitError}
 */
export function withTimeLimit<T>(ms: number, f: () => T): T {
  const before = context.f;
  context.f = f;
  try {
    return call.runInContext(context, { timeout: ms }) as T;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw new TimeLimitError(ms);
    throw e;
  } finally {
    context.f = before;
  }
}
