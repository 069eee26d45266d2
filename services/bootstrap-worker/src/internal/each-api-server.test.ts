import { describe, expect, it } from 'vitest';
import { error } from '../../test/fake-kube.ts';
import type { Kube } from '../world.ts';
import { metricsOfEach } from './each-api-server.ts';

const textOf = (server: string): string => `some_metric 1\nprocess_start_time_seconds ${server}\nits ${server}\n`;

/** A load balancer that leads to these, one after the other and then from the beginning; an Error is a server that does not answer. */
function balancer(turns: (string | Error)[]) {
  const asked: { freshConnection: boolean }[] = [];
  const raw = (async (_method, _path, _body, o) => {
    const turn = turns[asked.length % turns.length]!;
    asked.push({ freshConnection: o?.freshConnection ?? false });
    if (turn instanceof Error) throw turn;
    return { status: 200, headers: {}, body: textOf(turn) };
  }) as Kube['raw'];
  return { raw, asked };
}
const o = { signal: new AbortController().signal };

describe('the API servers of a cluster are asked', () => {
  it('each once, where connections go to them in turn', async () => {
    const b = balancer(['1.1', '2.2', '3.3']);
    expect(await metricsOfEach(b, 3, o)).toEqual(['1.1', '2.2', '3.3'].map(textOf));
    expect(b.asked).toEqual(Array(3).fill({ freshConnection: true }));
  });

  it('on the kept connection, where there is one', async () => {
    const b = balancer(['1.1']);
    expect(await metricsOfEach(b, 1, o)).toEqual([textOf('1.1')]);
    expect(b.asked).toEqual([{ freshConnection: false }]);
  });

  it('until each was seen, however they are chosen', async () => {
    const b = balancer(['1.1', '1.1', '2.2', '2.2', '1.1', '1.1', '2.2', '3.3', '2.2']);
    expect(await metricsOfEach(b, 3, o)).toEqual(['1.1', '2.2', '3.3'].map(textOf));
    expect(b.asked).toHaveLength(9);
  });

  it('four times as often as there are servers at most, where a load balancer keeps to one', async () => {
    const b = balancer(['1.1']);
    expect(await metricsOfEach(b, 3, o)).toEqual([textOf('1.1')]);
    expect(b.asked).toHaveLength(12);
  });

  it('no further when time is up', async () => {
    const b = balancer(['1.1']);
    let now = 0;
    const clock = () => {
      now += 2_500;
      return now;
    };
    await metricsOfEach(b, 3, { ...o, now: clock });
    expect(b.asked).toHaveLength(6);
  });

  it('and those that do not answer are left out', async () => {
    const gone = error(0, 'Unreachable');
    expect(await metricsOfEach(balancer(['1.1', gone, '3.3']), 3, o)).toEqual(['1.1', '3.3'].map(textOf));
    await expect(metricsOfEach(balancer([gone]), 3, o)).rejects.toBe(gone);
  });
});
