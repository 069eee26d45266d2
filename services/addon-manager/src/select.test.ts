import type { AddonBundle } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { chooseBundle, fits } from './select.ts';

const bundle = (addon: string, version: string, kubernetes: string) =>
  ({ metadata: { name: `${addon}-${version}` }, spec: { addon, version, kubernetes } }) as AddonBundle;

describe('the range of a bundle', () => {
  it.each([
    ['>=1.35 <1.37', 'v1.35.0', true],
    ['>=1.35 <1.37', 'v1.36.9', true],
    ['>=1.35 <1.37', 'v1.37.0', false],
    ['>=1.35 <1.37', 'v1.34.9', false],
    ['1.35', 'v1.35.4', true],
    ['=1.35.4', 'v1.35.5', false],
    ['<=1.35', 'v1.35.9', true],
    ['>1.35', 'v1.35.9', false],
    ['>1.35', 'v1.36.0', true],
  ])('%s holds %s: %s', (range, version, expected) => {
    expect(fits(range, version)).toBe(expected);
  });
});

describe('the bundle that a cluster gets', () => {
  const all = [
    bundle('flannel', '0.9.0', '>=1.30'),
    bundle('flannel', '0.28.4', '>=1.35 <1.37'),
    bundle('flannel', '0.28.4-rc.1', '>=1.35'),
    bundle('flannel', '0.30.0', '>=1.37'),
    bundle('calico', '3.1.0', '>=1.30'),
  ];
  it('is the newest that fits', () => {
    expect(chooseBundle(all, { name: 'flannel' }, 'v1.35.4')?.spec.version).toBe('0.28.4');
    expect(chooseBundle(all, { name: 'flannel' }, 'v1.34.0')?.spec.version).toBe('0.9.0');
  });
  it('is the one that is asked for', () => {
    expect(chooseBundle(all, { name: 'flannel', version: '0.9.0' }, 'v1.35.4')?.spec.version).toBe('0.9.0');
  });
  it('is none where none fits', () => {
    expect(chooseBundle(all, { name: 'flannel' }, 'v1.29.0')).toBeUndefined();
    expect(chooseBundle(all, { name: 'cilium' }, 'v1.35.4')).toBeUndefined();
  });
});
