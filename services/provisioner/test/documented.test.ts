import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const src = join(import.meta.dirname, '../src');
const page = readFileSync(join(import.meta.dirname, '../../../docs/conditions-provisioner.md'), 'utf8');

/** Reasons of errors that only say when to look again; they are never stated in a condition. */
const NEVER_STATED = new Set(
  'Backoff DeletionCap Deleting Interrupted LeavingEndpoint MachineChanged NetworkPending PortInUse PortMissing ServerBuilding ServerDeleting ServersUnlisted VolumeDeleting BootstrapPending BootstrapWorkerUnavailable'.split(
    ' ',
  ),
);

const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.startsWith('testing'))
  .map((f) => readFileSync(join(src, f), 'utf8'))
  .join('\n');
const stated = new Set([
  ...[...sources.matchAll(/new (?:Terminal|Retryable|Waiting)Error\(\s*'(\w+)'/g)].map((m) => m[1] as string),
  ...[...sources.matchAll(/\b(?:good|bad)\(\s*CONDITIONS\.\w+,\s*'(\w+)'/g)].map((m) => m[1] as string),
  ...[...sources.matchAll(/\breason: '([A-Z]\w+)'/g)].map((m) => m[1] as string),
]);

it('finds the reasons in the sources', () => {
  expect(stated.size).toBeGreaterThan(40);
});

it.each([...stated].filter((r) => !NEVER_STATED.has(r)).sort())('documents the reason %s', (reason) => {
  expect(page).toContain(`\`${reason}\``);
});

it('documents no reason that is not in the sources', () => {
  const table = [...page.matchAll(/^\|[^|]*\|[^|]*\|/gm)].flatMap((row) =>
    [...row[0].matchAll(/`([A-Z]\w+)`/g)].map((m) => m[1] as string),
  );
  // Of images, flavors and networks the reason is made of the kind's name; the types of conditions stand in the same columns.
  const made = /^(Image|Flavor|Network)(NotFound|Ambiguous)$/;
  const types = new Set([
    'NetworkReady',
    'EndpointReady',
    'MachinesReady',
    'UpToDate',
    'AddonCredentialsReady',
    'ServerReady',
    'Ready',
    'InEndpoint',
    'Orphans',
    'Drained',
  ]);
  expect(
    [...new Set(table)].filter(
      (r) => !stated.has(r) && !types.has(r) && !made.test(r) && r !== 'True' && r !== 'False',
    ),
  ).toEqual([]);
});
