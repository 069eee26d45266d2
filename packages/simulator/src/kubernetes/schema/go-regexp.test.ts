import { describe, expect, it } from 'vitest';
import { goRegExp } from './go-regexp.ts';

describe('patterns mean what they mean to Go', () => {
  it.each([
    ['^v\\d+$', 'v12', true],
    ['^v\\d+$', 'v12x', false],
    ['(?i)^abc$', 'ABC', true],
    ['^[a-z]([-a-z0-9]*[a-z0-9])?$', 'a-b', true],
    ['^[\\w\\-]+$', 'a-b_c', true],
    ['\\Aab\\z', 'ab', true],
    ['\\Aab\\z', 'xab', false],
    ['^\\Qa.b\\E$', 'a.b', true],
    ['^\\Qa.b\\E$', 'axb', false],
    ['^[[:alpha:]]+$', 'abc', true],
    ['^[[:alpha:]]+$', 'ab1', false],
    ['^(?P<major>\\d+)\\.', '1.2', true],
    ['^.$', '😀', true],
    ['(?s)^a.b$', 'a\nb', true],
  ])('%s on %j: %s', (pattern, text, matches) => {
    expect(goRegExp(pattern).test(text)).toBe(matches);
  });

  it('refuses what is no expression', () => {
    expect(() => goRegExp('(')).toThrow(SyntaxError);
  });
});
