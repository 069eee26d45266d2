import { expect, it } from 'vitest';
import { chooseZone } from './spread.ts';

it.each([
  { zones: [], taken: [], gives: undefined, why: 'any zone where none is named' },
  { zones: ['a', 'b'], taken: [], gives: 'a', why: 'the first among equals' },
  { zones: ['a', 'b'], taken: ['a'], gives: 'b', why: 'the one with fewest' },
  { zones: ['a', 'b', 'c'], taken: ['a', 'b', 'b', undefined], gives: 'c', why: 'an empty one' },
  { zones: ['a', 'b'], taken: ['x', 'x', 'b'], gives: 'a', why: 'no zone that is not named' },
])('chooses $why', ({ zones, taken, gives }) => {
  expect(chooseZone(zones, taken)).toBe(gives);
});
