/**
 * `make bench`: what clusters cost. Progress goes to stderr; the last line of stdout is JSON, as bench/README.md explains.
 */
import { rmSync } from 'node:fs';
import { measure } from './measure.ts';
import { type BenchOptions, readOptions } from './options.ts';
import { report } from './report.ts';
import { measureAddons } from './scenarios/addons.ts';
import { measureReplace } from './scenarios/replace.ts';
import { measureStorm } from './scenarios/storm.ts';
import { type BenchWorld, startBenchWorld } from './world.ts';

const started = Date.now();
const say = (text: string): void =>
  console.error(`[${((Date.now() - started) / 1000).toFixed(2).padStart(7)} s] ${text}`);

async function run(o: BenchOptions, w: BenchWorld): Promise<object> {
  switch (o.scenario) {
    case 'clusters':
      return report(o, w, await measure(w, o, say));
    case 'replace':
      return await measureReplace(w, o, say);
    case 'addons':
      return await measureAddons(w, o, say);
    case 'storm':
      return await measureStorm(w, o, say);
  }
}

const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
let world: BenchWorld | undefined;
try {
  const options = readOptions(process.env);
  world = await startBenchWorld(options, say);
  const figures = await Promise.race([run(options, world), interrupted]);
  console.log(JSON.stringify(figures));
} catch (e) {
  console.error(`the benchmark failed: ${(e as Error).message}${world ? `\nlogs: ${world.system.dir}/logs` : ''}`);
  process.exitCode = 1;
} finally {
  await world?.end();
  // Logs of a failed run stay: its message names them.
  if (world && process.exitCode !== 1) rmSync(world.system.dir, { recursive: true, force: true });
}
process.exit();
