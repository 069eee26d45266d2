import { describe, expect, it } from 'vitest';
import type { JsonPatchOperation } from '../format/manifest.ts';
import type { Json } from '../json.ts';
import { jsonPatch, mergePatch } from './patch.ts';

/** Appendix A of RFC 7386. */
const MERGES: [Json, Json, Json][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

describe('a merge patch', () => {
  it.each(MERGES)('%j with %j is %j', (target, patch, expected) => {
    expect(mergePatch(target, patch)).toEqual(expected);
  });
});

/** From appendix A of RFC 6902. */
const PATCHES: [string, Json, JsonPatchOperation[], Json][] = [
  ['adds a member', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
  [
    'adds in a list',
    { foo: ['bar', 'baz'] },
    [{ op: 'add', path: '/foo/1', value: 'qux' }],
    { foo: ['bar', 'qux', 'baz'] },
  ],
  [
    'adds at the end',
    { foo: ['bar'] },
    [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
    { foo: ['bar', ['abc', 'def']] },
  ],
  ['removes a member', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
  ['removes from a list', { foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
  ['replaces', { baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
  ['replaces all', { baz: 'qux' }, [{ op: 'replace', path: '', value: { a: 1 } }], { a: 1 }],
  [
    'moves',
    { foo: { bar: 'baz', waldo: 'fred' }, qux: {} },
    [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    { foo: { bar: 'baz' }, qux: { thud: 'fred' } },
  ],
  [
    'moves in a list',
    { foo: ['all', 'grass', 'cows', 'eat'] },
    [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    { foo: ['all', 'cows', 'eat', 'grass'] },
  ],
  [
    'copies',
    { a: { b: 1 } },
    [
      { op: 'copy', from: '/a', path: '/c' },
      { op: 'add', path: '/c/b', value: 2 },
    ],
    { a: { b: 1 }, c: { b: 2 } },
  ],
  [
    'reads escapes',
    { '/': 9, '~1': 10 },
    [
      { op: 'test', path: '/~01', value: 10 },
      { op: 'remove', path: '/~1' },
    ],
    { '~1': 10 },
  ],
  ['tests', { foo: ['a', 2] }, [{ op: 'test', path: '/foo/1', value: 2 }], { foo: ['a', 2] }],
];

describe('a JSON patch', () => {
  it.each(PATCHES)('%s', (_what, target, operations, expected) => {
    const before = structuredClone(target);
    expect(jsonPatch(target, operations)).toEqual(expected);
    expect(target).toEqual(before);
  });
  it.each<[string, JsonPatchOperation[], RegExp]>([
    ['a parent that is not there', [{ op: 'add', path: '/a/b', value: 1 }], /nothing at/],
    ['a place past the end', [{ op: 'add', path: '/list/3', value: 1 }], /nothing at/],
    ['a place with a leading zero', [{ op: 'add', path: '/list/00', value: 1 }], /no place in a list/],
    ['removing what is not there', [{ op: 'remove', path: '/x' }], /nothing at/],
    ['replacing what is not there', [{ op: 'replace', path: '/x', value: 1 }], /nothing at/],
    ['a test that fails', [{ op: 'test', path: '/s', value: 'b' }], /not what the test says/],
    ['a move into itself', [{ op: 'move', from: '/list', path: '/list/0' }], /into itself/],
    ['a pointer without slash', [{ op: 'remove', path: 's' }], /begins with/],
    ['what objects inherit', [{ op: 'add', path: '/constructor/prototype/x', value: 1 }], /nothing at/],
    ['prototypes', [{ op: 'add', path: '/__proto__', value: {} }], /may not be a key/],
  ])('with %s is refused', (_what, operations, message) => {
    expect(() => jsonPatch({ s: 'a', list: [1, 2] }, operations)).toThrow(message);
  });
});
