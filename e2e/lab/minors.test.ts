import { describe, expect, it } from 'vitest';
import { realVersions } from './minors.ts';

describe('API servers of tests on real parts', () => {
  const nothing = () => false;

  it('are the first minor, and what is in the cache', () => {
    expect(realVersions({}, nothing)).toEqual(['v1.35.4']);
    expect(realVersions({}, (v) => v === 'v1.36.3')).toEqual(['v1.35.4', 'v1.36.3']);
  });

  it('are those that are named, whether they are there or not', () => {
    expect(realVersions({ SHOTO_MINORS: '1.36' }, nothing)).toEqual(['v1.35.4', 'v1.36.3']);
    expect(realVersions({ SHOTO_MINORS: 'all' }, nothing)).toEqual(['v1.35.4', 'v1.36.3']);
  });

  it('name what the lab does not build', () => {
    expect(() => realVersions({ SHOTO_MINORS: '1.35,1.12' }, nothing)).toThrow(
      'the lab does not build 1.12; it builds 1.35, 1.36',
    );
  });
});
