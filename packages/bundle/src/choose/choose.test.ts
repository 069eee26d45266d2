import { describe, expect, it } from 'vitest';
import type { WantedAddon } from './choose.ts';
import { planAddons } from './plan.ts';
import { compareVersions, fits } from './range.ts';

const bundle = (addon: string, version: string, kubernetes: string, channel?: string) => ({
  spec: { addon, version, kubernetes, ...(channel ? { channel } : {}) },
});

describe('the range of a bundle', () => {
  it.each([
    ['>=1.35 <1.37', 'v1.35.0', true],
    ['>=1.35 <1.37', 'v1.36.9', true],
    ['>=1.35 <1.37', 'v1.37.0', false],
    ['>=1.35 <1.37', 'v1.34.9', false],
    ['1.35', 'v1.35.4', true],
    ['1.35', 'v1.35.4-2', true],
    ['=1.35.4', 'v1.35.5', false],
    ['<=1.35', 'v1.35.9', true],
    ['>1.35', 'v1.35.9', false],
    ['>1.35', 'v1.36.0', true],
    ['>=8.0.0 <9', '8.2.1', true],
    ['>=8.0.0 <9', '9.0.0', false],
    ['>=1.35  <1.37 ', 'v1.35.0', true],
    ['', 'v1.35.0', false],
    ['>=', 'v1.35.0', false],
    ['newest', 'v1.35.0', false],
  ])('%j holds %s: %s', (range, version, expected) => {
    expect(fits(range, version)).toBe(expected);
  });
});

describe('the order of versions', () => {
  it('is that of Semantic Versioning', () => {
    const inOrder = [
      '0.9.0',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.2.0',
      '1.10.0',
    ];
    expect([...inOrder].reverse().sort(compareVersions)).toEqual(inOrder);
    expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0);
  });
});

describe('the bundle that a cluster gets', () => {
  const all = [
    bundle('flannel', '0.9.0', '>=1.30'),
    bundle('flannel', '0.28.4', '>=1.35 <1.37'),
    bundle('flannel', '0.28.4-rc.1', '>=1.35'),
    bundle('flannel', '0.30.0', '>=1.37'),
    bundle('calico', '3.1.0', '>=1.30'),
    bundle('calico', '3.2.0', '>=1.30', 'candidate'),
    bundle('calico', '3.3.0', '>=1.30', 'edge'),
    bundle('calico', '4.0.0', '>=1.30', 'a-channel-of-tomorrow'),
  ];
  const chosen = (wanted: WantedAddon, [current, next]: [current: string, next?: string]) =>
    planAddons({ wanted: [wanted], bundles: all, applied: {}, current, next }).addons[0]?.bundle;
  it('is the newest that fits', () => {
    expect(chosen({ name: 'flannel' }, ['v1.35.4'])?.spec.version).toBe('0.28.4');
    expect(chosen({ name: 'flannel' }, ['v1.34.0'])?.spec.version).toBe('0.9.0');
  });
  it('fits every version that is asked for', () => {
    expect(chosen({ name: 'flannel' }, ['v1.36.4', 'v1.37.0'])?.spec.version).toBe('0.28.4-rc.1');
    expect(chosen({ name: 'flannel' }, ['v1.34.4', 'v1.35.0'])?.spec.version).toBe('0.9.0');
  });
  it('is the one that is asked for, of whatever channel', () => {
    expect(chosen({ name: 'flannel', version: '0.9.0' }, ['v1.35.4'])?.spec.version).toBe('0.9.0');
    expect(chosen({ name: 'calico', version: '3.3.0' }, ['v1.35.4'])?.spec.version).toBe('3.3.0');
  });
  it('is none where none fits', () => {
    expect(chosen({ name: 'flannel' }, ['v1.29.0'])).toBeUndefined();
    expect(chosen({ name: 'cilium' }, ['v1.35.4'])).toBeUndefined();
  });
  it.each([
    [undefined, '3.1.0'],
    ['stable', '3.1.0'],
    ['candidate', '3.2.0'],
    ['edge', '3.3.0'],
    ['unheard-of', '3.1.0'],
  ])('on channel %s is of that channel or a more careful one', (channel, version) => {
    expect(chosen({ name: 'calico', channel }, ['v1.35.4'])?.spec.version).toBe(version);
  });
});
