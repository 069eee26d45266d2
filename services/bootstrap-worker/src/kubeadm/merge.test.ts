import { describe, expect, it } from 'vitest';
import { merge, OverrideError, parseOverride } from './merge.ts';

describe('a merge', () => {
  it.each([
    ['mappings by key', { a: { x: 1, y: 2 } }, { a: { y: 3, z: 4 } }, { a: { x: 1, y: 3, z: 4 } }],
    [
      'named lists by name',
      {
        args: [
          { name: 'a', value: '1' },
          { name: 'b', value: '2' },
        ],
      },
      { args: [{ name: 'b', value: '3' }] },
      {
        args: [
          { name: 'a', value: '1' },
          { name: 'b', value: '3' },
        ],
      },
    ],
    ['other lists as a whole', { l: [1, 2] }, { l: [3] }, { l: [3] }],
    ['an empty list as a whole', { args: [{ name: 'a' }] }, { args: [] }, { args: [] }],
    ['null as absence', { a: 1, b: 2 }, { a: null }, { b: 2 }],
  ])('takes %s', (_, base, over, result) => {
    expect(merge(base, over)).toEqual(result);
  });

  it('changes neither of its inputs', () => {
    const base = { a: { x: 1 } };
    merge(base, { a: { x: 2 } });
    expect(base).toEqual({ a: { x: 1 } });
  });
});

describe('an override', () => {
  it('may be absent, empty or only a comment', () => {
    for (const text of [undefined, '', '# nothing']) expect(parseOverride('initConfiguration', text)).toEqual({});
  });

  it('cannot turn the document into another kind', () => {
    expect(parseOverride('initConfiguration', 'kind: Secret\napiVersion: v1\na: 1')).toEqual({ a: 1 });
  });

  it.each([['- a'], ['a: [b'], ['text']])('is refused with its field when it is %j', (text) => {
    expect(() => parseOverride('kubeletConfiguration', text)).toThrow(OverrideError);
    expect(() => parseOverride('kubeletConfiguration', text)).toThrow(/spec\.overrides\.kubeletConfiguration/);
  });
});
