import { expect, it } from 'vitest';
import { shared, sharing } from './shared-strings.ts';

it('gives each text as it is, however many others there are', () => {
  for (let n = 0; n < 25_000; n++) expect(shared(`text ${n}`)).toBe(`text ${n}`);
  expect(shared('text 1 – ünïcode')).toBe('text 1 – ünïcode');
});

it('copies a value, and nothing of it is another', () => {
  const value = { a: ['x', 1, null, { b: 'x' }], c: true, d: undefined };
  const copy = sharing(value);
  expect(copy).toEqual(value);
  expect(copy).not.toBe(value);
  expect(copy.a).not.toBe(value.a);
});
