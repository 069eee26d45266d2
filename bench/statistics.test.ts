import { describe, expect, it } from 'vitest';
import { samplesOf, sumBy } from './prometheus.ts';
import { covered, each, percentile } from './statistics.ts';
import { ownSeconds } from './waits.ts';

describe('the figures', () => {
  it('takes percentiles by nearest rank', () => {
    const values = [5, 1, 4, 2, 3];
    expect([0.5, 0.95, 0.01].map((share) => percentile(values, share))).toEqual([3, 5, 1]);
    expect(percentile([], 0.5)).toBeUndefined();
  });

  it('counts time that intervals share once, and none outside of the window', () => {
    const intervals = [
      { from: 30, to: 40 },
      { from: 0, to: 10 },
      { from: 5, to: 12 },
      { from: 95, to: 200 },
    ];
    expect(covered(intervals, 2, 100)).toBe(10 + 10 + 5);
  });

  it('leaves out what is zero, greatest first', () => {
    expect(Object.entries(each({ a: 1, b: 0, c: 4 }, 2))).toEqual([
      ['c', 2],
      ['a', 0.5],
    ]);
  });

  it('reads the series of one metric, and not of one whose name begins the same', () => {
    const text =
      '# HELP requests Requests\nrequests{verb="LIST",path="a\\"b}"} 3\nrequests_total 9\nrequests{verb="POST"} 2 1700000000\nrequests 5\n';
    expect(samplesOf(text, 'requests').map((s) => s.value)).toEqual([3, 2, 5]);
    expect(sumBy(samplesOf(text, 'requests'), (l) => l.verb)).toEqual({ LIST: 3, POST: 2 });
  });

  it("takes a cluster's own simulated waits off its time, by name and by id, and nobody else's", () => {
    const cluster = (name: string, own: string[]) => ({ name, own, asked: 1_000, ready: 11_000 });
    const clusters = [cluster('web', ['net-1', 'web-workers-abcde']), cluster('web-2', ['net-2'])];
    const wait = (about: string, at: number, ms: number) => ({ operation: 'neutron.port.create', about, at, ms });
    expect(
      ownSeconds(clusters, [
        wait('/network/v2.0/networks/net-1 ', 1_000, 2_000),
        wait('web-workers-abcde', 2_000, 3_000),
        wait('/network/v2.0/networks shoto-web-2-0a1b2c3d', 1_000, 4_000),
        wait('/network/v2.0/networks shoto-web-0a1b2c3d-lb', 10_000, 9_000),
        wait('/compute/v2.1/servers/detail?limit=500', 5_000, 1_000),
      ]),
    ).toEqual([5, 6]);
  });
});
