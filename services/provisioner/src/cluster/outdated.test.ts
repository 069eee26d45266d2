import { describe, expect, it } from 'vitest';
import { type MachineOptions, machineNamed } from '../testing/fleet.ts';
import { outdated, type Wanted } from './outdated.ts';

const wanted: Wanted = { release: 'v1.35.4', image: 'image-v1.35.4', flavor: 'm1.small', flavorName: 'm1.small' };
const root = (sizeGiB: number, type?: string) => ({ sizeGiB, ...(type ? { type } : {}) });

describe('a machine is outdated', () => {
  it.each<[string, MachineOptions, Partial<Wanted>, string[]]>([
    ['by its release', {}, { release: 'v1.36.3', image: 'image-v1.36.3' }, ['release v1.35.4 -> v1.36.3']],
    ['by its image', { image: 'older' }, {}, ['image older -> image-v1.35.4']],
    ['by its flavor', {}, { flavor: '4711', flavorName: 'm1.large' }, ['flavor m1.small -> m1.large']],
    [
      'by the size of its volume',
      { spec: { rootVolume: root(20) } },
      { rootVolume: root(40) },
      ['root volume 20 GiB -> 40 GiB'],
    ],
    [
      'by the type of its volume',
      { spec: { rootVolume: root(20, 'hdd') } },
      { rootVolume: root(20, 'ssd') },
      ['root volume type hdd -> ssd'],
    ],
    ['by its zone, where its pool names zones', { zone: 'c' }, { zones: ['b', 'a'] }, ['zone c -> a, b']],
    [
      'by several at once',
      { flavor: 'tiny' },
      { release: 'v1.35.5' },
      ['release v1.35.4 -> v1.35.5', 'flavor tiny -> m1.small'],
    ],
  ])('%s', (_, machine, want, why) => {
    expect(outdated(machineNamed('w', machine), { ...wanted, ...want })).toEqual(why);
  });
});

describe('a machine is not outdated', () => {
  it.each<[string, MachineOptions, Partial<Wanted>]>([
    ['that is just as asked for', {}, {}],
    ['by a volume that it lacks', {}, { rootVolume: root(20) }],
    ['by a volume that is not asked for any more', { spec: { rootVolume: root(20) } }, {}],
    [
      'by a type of volume that only one side names',
      { spec: { rootVolume: root(20) } },
      { rootVolume: root(20, 'ssd') },
    ],
    ['by a zone that it lacks', {}, { zones: ['a'] }],
    ['by a zone where its pool names none', { zone: 'c' }, { zones: undefined }],
    ['by an image or flavor that is not known', {}, { image: undefined, flavor: undefined }],
    [
      'by labels, taints and time-outs',
      { spec: { labels: { a: 'b' }, taints: [{ key: 'k', effect: 'NoSchedule' }], nodeDrainTimeoutSeconds: 5 } },
      {},
    ],
  ])('%s', (_, machine, want) => {
    expect(outdated(machineNamed('w', machine), { ...wanted, ...want })).toEqual([]);
  });
});
