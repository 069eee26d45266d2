import { describe, expect, it } from 'vitest';
import { decideServer, type Evidence } from './decide-server.ts';

const base: Evidence = {
  fresh: false,
  unsureSince: undefined,
  portDevice: '',
  byName: [],
  now: 1_000_000,
  unsureMs: 180_000,
};

describe('whether to ask for a server', () => {
  it.each<[string, Partial<Evidence>, object]>([
    ['asks when the port is new', { fresh: true }, { do: 'create' }],
    ['takes the server that holds the port', { portDevice: 's1' }, { do: 'adopt', id: 's1', extra: [] }],
    [
      'takes the one of its name, when the port says nothing yet',
      { byName: ['s1'] },
      { do: 'adopt', id: 's1', extra: [] },
    ],
    [
      'keeps the port’s holder of two',
      { portDevice: 's2', byName: ['s1', 's2'] },
      { do: 'adopt', id: 's2', extra: ['s1'] },
    ],
    ['waits when an earlier process may have asked', { unsureSince: 990_000 }, { do: 'wait', ms: 5_000 }],
    [
      'waits after a lost answer, although the port was new',
      { fresh: true, unsureSince: 990_000 },
      { do: 'wait', ms: 5_000 },
    ],
    ['waits no longer than needed', { unsureSince: 1_000_000 - 178_000 }, { do: 'wait', ms: 2_000 }],
    ['asks again after three minutes', { unsureSince: 1_000_000 - 180_000 }, { do: 'create' }],
  ])('%s', (_, given, decision) => {
    expect(decideServer({ ...base, ...given })).toEqual(decision);
  });
});
