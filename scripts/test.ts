/**
 * `make test`: every check and every test that needs no more than Node and Redis.
 * The last line is `N passed, M failed`; a check counts as one.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };

const checks: [string, string, string[]][] = [
  ['format and lint', 'biome', ['ci', '--error-on-warnings', '.']],
  ['boundaries', 'node', ['scripts/check-boundaries.ts']],
  ['unused code', 'knip', ['--no-progress']],
  ['types', 'tsc', ['-p', '.']],
];

let passed = 0;
let failed = 0;
for (const [title, command, args] of checks) {
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${title}`);
  if (status === 0) passed++;
  else failed++;
}

const out = mkdtempSync(join(tmpdir(), 'shoto-test-'));
const report = join(out, 'report.json');
const { status } = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  {
    cwd: root,
    env,
    stdio: 'inherit',
  },
);
try {
  const r = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
    numFailedTestSuites: number;
  };
  passed += r.numPassedTests;
  // A file that cannot even be loaded holds no failed test, and is a failure all the same.
  failed += Math.max(r.numFailedTests, r.numFailedTestSuites > 0 || status !== 0 ? 1 : 0);
} catch {
  failed++;
}
rmSync(out, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
