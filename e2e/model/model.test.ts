import { expect, it } from 'vitest';
import { describeOutcome, runSequence, seedsOf } from './run.ts';

const seed = Number(process.env.SEED || 1);
const runs = Number(process.env.RUNS || 30);
// One sequence by its own seed, as a failure names it.
const seeds = process.env.SEQUENCE ? [Number(process.env.SEQUENCE)] : seedsOf(seed, runs);

it(
  `holds what must hold after each of ${seeds.length} sequences (SEED=${seed} RUNS=${runs})`,
  async () => {
    const failed: string[] = [];
    let passes = 0;
    let hours = 0;
    for (const [i, s] of seeds.entries()) {
      if (i > 0 && i % 100 === 0) console.log(`${i} of ${seeds.length} sequences, ${failed.length} broken`);
      const outcome = await runSequence(s);
      passes += outcome.passes;
      hours += outcome.virtualMs / 3_600_000;
      if (outcome.broken.length > 0) {
        failed.push(`${describeOutcome(outcome)}\n  again: SEQUENCE=${s}`);
        // A soak takes hours: nobody waits for its end to read this.
        console.log(failed.at(-1));
      }
      if (process.env.VERBOSE) console.log(describeOutcome(outcome), outcome.passes, outcome.virtualMs);
    }
    console.log(`${seeds.length} sequences from SEED=${seed}: ${passes} passes, ${hours.toFixed(1)} simulated hours`);
    expect(failed.join('\n\n')).toBe('');
  },
  6 * 3_600_000,
);
