import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import type { Api } from './client.ts';
import type { MachineProgress, MachineStep } from './output/machines.ts';
import { follow, type Goal, type Progress, ProgressView } from './progress.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const step = (name: string, at: number, more: Partial<MachineStep> = {}): MachineStep => ({
  name,
  state: 'running',
  startedAt: new Date(START + at * 1000).toISOString(),
  ...more,
});
const machine = (name: string, more: Partial<MachineProgress> = {}): MachineProgress => ({
  name,
  server: 'Active',
  state: 'running',
  message: 'installs Kubernetes',
  steps: [],
  ...more,
});
const at = (machines: MachineProgress[]): Progress => ({
  cluster: 'web',
  ready: false,
  deleting: false,
  message: 'working',
  steps: [
    { name: 'network', state: 'done', message: 'made' },
    { name: 'machines', state: 'running', message: '1 of 2 servers run' },
    { name: 'nodes', state: 'waiting', message: '0 of 2' },
  ],
  machines,
});

/** A terminal of 60 columns whose block is what was drawn last. */
function terminal(rows = 24) {
  let written = '';
  let now = START;
  const write = (text: string): void => {
    written = text;
  };
  const screen = { isTTY: true, columns: 60, rows, write };
  const view = new ProgressView(screen, () => now);
  return {
    view,
    lines: () => stripVTControlCharacters(written).split('\n').slice(0, -1),
    later: (seconds: number) => {
      now += seconds * 1000;
    },
  };
}

it('a terminal has a line for each machine under the step of machines, and its seconds go on without news', () => {
  const t = terminal();
  t.later(10);
  t.view.draw(
    at([
      machine('web-cp-1', { steps: [step('download', 0, { state: 'done', seconds: 2 }), step('kubeadm-init', 3)] }),
      machine('web-default-12345', { server: 'Building', message: 'its server is being built' }),
    ]),
  );
  const lines = t.lines();
  expect(lines).toEqual([
    '✓ network        made',
    '… machines       1 of 2 servers run',
    '  … web-cp-1           Active    kubeadm-init 7 s',
    '  … web-default-12345  Building  its server is being built',
    '· nodes          0 of 2',
    '    10.0s working',
  ]);
  t.later(5);
  t.view.tick();
  expect(t.lines()[2]).toBe('  … web-cp-1           Active    kubeadm-init 12 s');
  expect(t.lines().at(-1)).toBe('    15.0s working');
});

it.each<[string, Partial<MachineProgress>, string]>([
  [
    'has failed a step',
    { state: 'failed', steps: [step('join', 0, { state: 'failed', seconds: 3.21 })] },
    'join failed after 3.2 s',
  ],
  [
    'has ended a step and not begun the next',
    { steps: [step('join', 0, { state: 'done', seconds: 3 })] },
    'installs Kubernetes',
  ],
  ['is ready', { state: 'done', message: 'its node is ready', steps: [step('join', 0)] }, 'its node is ready'],
  ['has a clock that is ahead of ours', { steps: [step('join', 99)] }, 'join 0 s'],
])('what a machine does that %s', (_what, m, doing) => {
  const t = terminal();
  t.view.draw(at([machine('m', m)]));
  expect(t.lines()[2]?.replace(/^.*Active +/, '')).toBe(doing);
});

it('the block never gets higher than the terminal: those that need a look stay, the others are counted', () => {
  const t = terminal(9);
  const many = Array.from({ length: 20 }, (_, i) =>
    machine(`m-${i}`, { state: i === 17 ? 'failed' : 'done', message: 'x' }),
  );
  t.view.draw(at(many));
  expect(t.lines()).toHaveLength(8);
  expect(
    t
      .lines()
      .slice(2, 6)
      .map((l) => l.trim()),
  ).toEqual(['✗ m-17  Active    x', '✓ m-0   Active    x', '✓ m-1   Active    x', 'and 17 more']);
});

it('a tick writes nothing before there is anything, nor into a pipe', () => {
  const written: string[] = [];
  const view = new ProgressView(
    { isTTY: false, columns: 60, rows: 24, write: (t) => void written.push(t) },
    () => START,
  );
  view.tick();
  view.draw(at([]));
  const before = written.length;
  view.tick();
  expect([before, written.length]).toEqual([2, 2]);
  const t = terminal();
  t.view.tick();
  expect(t.lines()).toEqual([]);
});

/** An API whose stream of progress tells these, one after the other, and then breaks off for ever. */
const telling = (...all: Partial<Progress>[]): Api =>
  ({
    async *events() {
      for (const p of all) yield { event: 'progress', data: JSON.stringify({ ...at([]), ...p }) };
      throw new Error('it should have been enough');
    },
  }) as unknown as Api;
const followed = async (goal: Goal, ...all: Partial<Progress>[]): Promise<string> =>
  follow(telling(...all), '/x', goal, undefined, 0).then(
    () => 'reached',
    (e: Error) => e.message,
  );

it('a change is followed until it is carried out, or waits for somebody to do something', async () => {
  const stuck = 'flannel: 0.28.10 was not healthy within 600 s';
  expect(await followed({ generation: 2 }, { generation: 1, settled: true }, { generation: 2, settled: true })).toBe(
    'reached',
  );
  expect(await followed({ generation: 2 }, { generation: 2, settled: false, stuck })).toBe(
    `all is as asked for, but this: ${stuck}`,
  );
  // Said of the spec before the change.
  expect(await followed({ generation: 2 }, { generation: 1, stuck }, { generation: 2, settled: true })).toBe('reached');
  expect(await followed('ready', { ready: false, stuck }, { ready: true, stuck })).toBe('reached');
});
