/**
 * `make bench`: what clusters cost. Progress goes to stderr; the last line of stdout is JSON, as bench/README.md explains.
 */
import { rmSync } from 'node:fs';
import { measure } from './measure.ts';
import { readOptions } from './options.ts';
import { report } from './report.ts';
import { type BenchWorld, startBenchWorld } from './world.ts';

const started = Date.now();
const say = (text: string): void =>
  console.error(`[${((Date.now() - started) / 1000).toFixed(2).padStart(7)} s] ${text}`);

const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
let world: BenchWorld | undefined;
try {
  const options = readOptions(process.env);
  world = await startBenchWorld(options, say);
  const seen = await Promise.race([measure(world, options, say), interrupted]);
  console.log(JSON.stringify(report(options, world, seen)));
} catch (e) {
  console.error(`the benchmark failed: ${(e as Error).message}${world ? `\nlogs: ${world.system.dir}/logs` : ''}`);
  process.exitCode = 1;
} finally {
  await world?.end();
  // Logs of a failed run stay: its message names them.
  if (world && process.exitCode !== 1) rmSync(world.system.dir, { recursive: true, force: true });
}
process.exit();
