import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configSchema, settingsOf } from '../src/config.ts';
import { NODE_PROBLEMS } from '../src/node.ts';
import { DEFAULTS } from '../src/settings.ts';

const root = join(import.meta.dirname, '../../..');
const src = join(import.meta.dirname, '../src');
const read = (page: string): string => readFileSync(join(root, 'docs', page), 'utf8');
const reasons = read('conditions-self-healing.md');
const healing = read('healing.md');
const sources = readdirSync(src)
  .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'))
  .map((f) => readFileSync(join(src, f), 'utf8'))
  .join('\n');
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((m) => m[1] as string);

const stated = new Set(all(sources, /\breason: '([A-Z]\w+)'/g));
/** The first column of the table below a heading. */
const column = (heading: string): string[] =>
  all(
    (healing.split(`## ${heading}\n`)[1] ?? '')
      .split('\n## ')[0]!
      .split('\n')
      .filter((l) => l.startsWith('|'))
      .map((l) => l.split('|')[1])
      .join('\n'),
    /`([A-Z]\w+)`/g,
  );

describe('what is written for SREs', () => {
  it('finds reasons in the sources', () => {
    expect(stated.size).toBeGreaterThan(30);
  });

  it.each([...stated].sort())('documents the reason %s', (reason) => {
    expect(reasons).toContain(`\`${reason}\``);
  });

  it('names every sign in the table of what counts as sick, and no other', () => {
    const signs = all(
      sources
        .split('const RUNGS')[1]!
        .split('};')[0]!
        .replace(/\/\/.*$/gm, ''),
      /^\s+([A-Z]\w+):/gm,
    );
    expect(signs).toEqual(expect.arrayContaining([...NODE_PROBLEMS]));
    expect(column('What counts as sick').sort()).toEqual(signs.sort());
  });

  it('names every brake in the table of the brake, and no other', () => {
    const brakes = new Set(
      ['brake.ts', 'control-plane.ts'].flatMap((f) =>
        all(readFileSync(join(src, f), 'utf8'), /\breason: '([A-Z]\w+)'/g),
      ),
    );
    expect(column('The brake').sort()).toEqual([...brakes].sort());
  });

  it('documents metrics and settings', () => {
    for (const metric of all(sources, /name: '(shoto_\w+)'/g)) expect(read('sre.md')).toContain(`\`${metric}\``);
    for (const name of all(sources, /^\s+(SHOTO_HEALING_[A-Z_]+):/gm))
      expect(read('operating.md')).toContain(`\`${name}\``);
  });

  it('has the same defaults in the environment as in the code', () => {
    expect(settingsOf(configSchema.parse({}))).toEqual(DEFAULTS);
  });
});
