export { backoffMs } from './backoff.ts';
export { declareFirstStart, Engine, type EngineOptions } from './engine.ts';
export {
  type ErrorOutcome,
  outcomeOf,
  ReconcileError,
  RetryableError,
  TerminalError,
  toReconcileError,
  WaitingError,
} from './errors.ts';
export { Feeder, type FeederOptions } from './feeder.ts';
export type { KeyQueue } from './key-queue.ts';
export type { Log } from './log.ts';
export type { AddOptions, Outcome, QueueOptions, RunContext } from './queue-options.ts';
export { defaultTimes, type EngineTimes } from './settings.ts';
