// One replica of a service, for the tests that kill it: works on the queue "k" and writes what it did, one JSON line each.
import { Redis } from 'ioredis';
import { Engine } from '../src/index.ts';
import { type Report, testTimes, work } from './scene.ts';

const [redisUrl = '', worldUrl = ''] = process.argv.slice(2);
const world = new Redis(worldUrl);
const say = (report: Report): void => void process.stdout.write(`${JSON.stringify(report)}\n`);
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const engine = new Engine({ redis: { url: redisUrl }, service: 'test', log: silent, times: testTimes });
engine.queue('k', { concurrency: 10, maxRunMs: 1_000, reconcile: (key, ctx) => work(world, key, ctx, say) });
await engine.start();
say({ what: 'ready', key: '', version: 0, at: 0 });
process.on('SIGTERM', () => {
  void engine.close().then(() => process.exit(0));
});
