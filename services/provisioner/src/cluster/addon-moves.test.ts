import type { AddonBundle, Region } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { addonMoves } from './addon-moves.ts';

const bundle = (addon: string, version: string, kubernetes: string, more: object = {}) =>
  ({ spec: { addon, version, kubernetes, provides: [], ...more } }) as unknown as AddonBundle;
const BUNDLES = [
  bundle('csi', '1.35.1', '>=1.35 <1.36'),
  bundle('csi', '1.36.0', '>=1.35 <1.37'),
  bundle('log', '2.0.0', '>=1.30 <1.40'),
];
const asked = (addons: object[], more: object = {}) =>
  addonMoves({
    spec: { addons: addons as never },
    region: { spec: {} } as Region,
    bundles: BUNDLES,
    applied: { csi: '1.35.1', log: '2.0.0' },
    current: 'v1.35.4',
    next: 'v1.36.3',
    ...more,
  });

describe('before a control plane goes to another minor', () => {
  it('an addon that does not fit it moves first, and others stay', () => {
    const { moves, blocked, applied } = asked([{ name: 'csi' }, { name: 'log' }]);
    expect([moves, blocked]).toEqual([
      [{ addon: 'csi', because: 'csi 1.35.1 -> 1.36.0: 1.35.1 does not fit Kubernetes v1.36.3' }],
      [],
    ]);
    expect(applied).toEqual({ csi: '1.36.0', log: '2.0.0' });
  });

  it('one that has no version for it is named', () => {
    const { moves, blocked } = asked([{ name: 'csi', version: '1.35.1' }, { name: 'log' }]);
    expect(moves).toEqual([]);
    expect(blocked).toMatchObject([
      { addon: 'csi', reason: 'NoBundleFitsNext', message: expect.stringContaining('1.35.1') },
    ]);
  });

  it('a bundle that is not signed does not count where the region takes signed ones only', () => {
    const region = { spec: { addons: { requireSignature: true } } } as Region;
    expect(asked([{ name: 'csi' }], { region }).blocked).toHaveLength(1);
  });
});
