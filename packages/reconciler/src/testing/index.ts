export {
  type LocalClock,
  LocalEngine,
  type LocalEngineOptions,
  type LocalPass,
  LocalQueues,
} from './local-engine.ts';
export { startTestRedis, type TestRedis } from './redis.ts';
