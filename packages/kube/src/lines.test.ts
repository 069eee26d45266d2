import { expect, it } from 'vitest';
import { Lines } from './lines.ts';

const TEXT = 'erste\n\nzweite: über\ndritte 🙂\nohne Ende';

/** The lines of a text that comes in pieces of so many bytes. */
function linesOf(text: string, size: number): string[] {
  const bytes = Buffer.from(text);
  const lines = new Lines();
  const all: string[] = [];
  for (let at = 0; at < bytes.length; at += size) lines.push(bytes.subarray(at, at + size), (l) => all.push(l));
  return all;
}

it.each([1, 2, 3, 5, 7, 1000])('lines are whole, and so are their characters, in pieces of %d bytes', (size) =>
  expect(linesOf(TEXT, size)).toEqual(['erste', 'zweite: über', 'dritte 🙂']),
);

it('what a listener throws is thrown on, and the next piece begins a new line', () => {
  const lines = new Lines();
  const fails = () =>
    lines.push(Buffer.from('a\nb'), () => {
      throw new Error('listener');
    });
  expect(fails).toThrow('listener');
  const all: string[] = [];
  lines.push(Buffer.from('c\n'), (l) => all.push(l));
  expect(all).toEqual(['c']);
});
