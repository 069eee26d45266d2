import { describe, expect, it } from 'vitest';
import { KubernetesReleaseKind, parseObject, releasePath } from './index.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const release = (name: string, o: { upgradableFrom?: string[]; withdrawn?: boolean; until?: string } = {}) =>
  parseObject(KubernetesReleaseKind, {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'KubernetesRelease',
    metadata: { name },
    spec: {
      version: name.replace(/-\d+$/, ''),
      images: [{ region: 'one', image: name }],
      ...(o.upgradableFrom ? { upgradableFrom: o.upgradableFrom } : {}),
      support: { withdrawn: o.withdrawn ?? false, ...(o.until ? { until: o.until } : {}) },
    },
  });
const way = (from: string, to: string, releases: ReturnType<typeof release>[]) =>
  releasePath(from, to, { releases, region: 'one', now: NOW });

describe('the way from one release to another', () => {
  it('is one step within a minor, and to the next', () => {
    expect(way('v1.35.4', 'v1.35.6', [release('v1.35.6')])).toEqual({ steps: ['v1.35.6'] });
    expect(way('v1.35.4', 'v1.36.1', [release('v1.36.1'), release('v1.35.6')])).toEqual({ steps: ['v1.36.1'] });
    expect(way('v1.35.4', 'v1.35.4-2', [release('v1.35.4-2')])).toEqual({ steps: ['v1.35.4-2'] });
  });

  it('goes through every minor, by the newest release of each', () => {
    const releases = ['v1.36.1', 'v1.36.3', 'v1.37.0', 'v1.38.1'].map((n) => release(n));
    expect(way('v1.35.4', 'v1.38.1', releases)).toEqual({ steps: ['v1.36.3', 'v1.37.0', 'v1.38.1'] });
  });

  it('goes where the releases let it', () => {
    const releases = [
      release('v1.35.9'),
      release('v1.36.3', { upgradableFrom: ['v1.35.9'] }),
      release('v1.36.2', { upgradableFrom: ['v1.34.1'] }),
    ];
    expect(way('v1.35.4', 'v1.36.3', releases)).toEqual({ steps: ['v1.35.9', 'v1.36.3'] });
  });

  it('is none where it stands already', () => {
    expect(way('v1.35.4', 'v1.35.4', [])).toEqual({ steps: [] });
  });

  it.each([
    ['down', 'v1.34.0', [release('v1.34.0')], 'Down', /no way back/],
    ['to nowhere', 'v1.36.0', [], 'NotOffered', /no KubernetesRelease v1\.36\.0/],
    ['over a minor that is not there', 'v1.37.0', [release('v1.37.0')], 'NoWay', /through 1\.36/],
    [
      'over a minor that is withdrawn',
      'v1.37.0',
      [release('v1.37.0'), release('v1.36.3', { withdrawn: true })],
      'NoWay',
      /through 1\.36/,
    ],
    [
      'over a minor that is out of support',
      'v1.37.0',
      [release('v1.37.0'), release('v1.36.3', { until: '2026-05-01T00:00:00Z' })],
      'NoWay',
      /through 1\.36/,
    ],
    [
      'to a release that takes nobody from here',
      'v1.36.0',
      [release('v1.36.0', { upgradableFrom: ['v1.35.9'] }), release('v1.35.5')],
      'NoWay',
      /from v1\.35\.4 one may go to v1\.35\.5/,
    ],
  ])('does not lead %s', (_title, to, releases, blocked, message) => {
    expect(way('v1.35.4', to, releases)).toMatchObject({ blocked, message: expect.stringMatching(message) });
  });
});
