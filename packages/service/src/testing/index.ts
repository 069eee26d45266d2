export { type ManualClock, manualClock } from './manual-clock.ts';
export { until } from './until.ts';
