import { describe, expect, it } from 'vitest';
import { SimulatorClock } from './clock.ts';
import { contains, formatIp, overlaps, parseCidr, parseIp } from './ip.ts';
import { Latency } from './latency.ts';
import { Random } from './random.ts';
import { Table } from './table.ts';

describe('clock', () => {
  it('fires timers in order of their due time while it is advanced, and none early', async () => {
    const clock = new SimulatorClock({ mode: 'manual', start: 0 });
    const fired: string[] = [];
    clock.setTimeout(() => fired.push('b'), 20);
    clock.setTimeout(() => {
      fired.push('a');
      clock.setTimeout(() => fired.push('c'), 15);
    }, 10);
    clock.setTimeout(() => fired.push('never'), 15).cancel();
    await clock.advance(19);
    expect(fired).toEqual(['a']);
    await clock.advance(6);
    expect([fired, clock.now()]).toEqual([['a', 'b', 'c'], 25]);
  });
  it('runs faster than real time by its speed', async () => {
    const clock = new SimulatorClock({ speed: 1000, start: 0 });
    await clock.sleep(5000);
    expect(clock.now()).toBeGreaterThanOrEqual(4999);
    clock.close();
  });
});

describe('random', () => {
  it('repeats by seed and has streams that do not disturb each other', () => {
    const draw = (noise: number) => {
      const root = new Random(7);
      const other = root.fork('other');
      for (let i = 0; i < noise; i++) other.next();
      return root.fork('ids').uuid();
    };
    expect(draw(0)).toBe(draw(100));
    expect(draw(0)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('latency', () => {
  it('takes the longest match of the setting before the profile', () => {
    const latency = new Latency(
      {
        profile: 'realistic',
        operations: { 'nova.*': { medianMs: 1, spread: 0 }, 'nova.server.boot': { medianMs: 2, spread: 0 } },
      },
      new Random(1),
    );
    expect([latency.sample('nova.flavor.list'), latency.sample('nova.server.boot')]).toEqual([1, 2]);
    expect(latency.sample('neutron.network.create')).toBeGreaterThan(50);
  });
});

describe('addresses', () => {
  it('reads and writes both families, ranges and overlaps', () => {
    for (const text of ['10.0.0.1', '255.255.255.255', '::', '::1', '2001:db8::1', 'fe80::1:0:0:1']) {
      const ip = parseIp(text)!;
      expect(formatIp(ip.version, ip.value)).toBe(text);
    }
    expect(parseIp('10.0.0.256')).toBeUndefined();
    expect(parseCidr('10.0.0.9/24')!.text).toBe('10.0.0.0/24');
    expect(contains(parseCidr('10.0.0.0/24')!, '10.0.1.0')).toBe(false);
    expect(overlaps(parseCidr('10.0.0.0/8')!, parseCidr('10.9.0.0/16')!)).toBe(true);
  });
});

describe('table', () => {
  it('follows a row through its indexes and forgets its JSON when it changes', () => {
    const table = new Table<{ id: string; tags: string[] }>({ tag: (r) => r.tags });
    const row = table.save({ id: '1', tags: ['a', 'b'] });
    expect(table.json(row, 'v', (r) => r.tags)).toBe('["a","b"]');
    row.tags = ['b', 'c'];
    table.save(row);
    expect([table.count('tag', 'a'), table.count('tag', 'b'), [...table.by('tag', 'c')]]).toEqual([0, 1, [row]]);
    expect(table.json(row, 'v', (r) => r.tags)).toBe('["b","c"]');
    expect([table.delete('1'), table.delete('1'), table.count('tag', 'c')]).toEqual([true, false, 0]);
  });
});
