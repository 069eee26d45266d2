import type { Cluster, Machine } from '@shoto/api';
import { createLogger } from '@shoto/service';
import { manualClock } from '@shoto/service/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { MachineStep } from './bootstrap-client.ts';
import { LiveSteps, mergeSteps } from './live-steps.ts';

const WEB = { namespace: 'tenant-blue', name: 'web' };
const step = (name: string, state: MachineStep['state'], at = 0, seconds?: number): MachineStep => ({
  name,
  state,
  startedAt: `2026-01-01T00:00:${String(at).padStart(2, '0')}Z`,
  ...(seconds === undefined ? {} : { seconds }),
});

let clock: ReturnType<typeof manualClock>;
/** What the bootstrap-worker answers with. */
let told: () => Promise<{ machine: string; steps: MachineStep[] }[]>;
/** How often it was asked. */
let asked: number;
/** How far the one machine of the cluster is, as it is stored. */
let status: object | undefined;
let deleting: object;
/** A change of the cluster or its machine is seen. */
let changed: () => void;
let live: LiveSteps;

beforeEach(() => {
  clock = manualClock();
  asked = 0;
  told = async () => [{ machine: 'm', steps: [step('init', 'running')] }];
  status = { bootstrap: { ticketTakenAt: '2026-01-01T00:00:00Z' } };
  deleting = {};
  live = new LiveSteps({
    clock,
    log: createLogger({ service: 'test', level: 'silent' }),
    store: {
      cluster: (namespace, name) =>
        name === 'web' ? ({ metadata: { namespace, name, ...deleting }, spec: {} } as unknown as Cluster) : undefined,
      onClusterChange: (_namespace, _name, fn) => {
        changed = fn;
        return () => {
          changed = () => {};
        };
      },
      machinesOf: () => [{ metadata: { name: 'm' }, status } as unknown as Machine],
    },
    bootstrap: {
      kubeconfig: () => Promise.reject(new Error('not asked here')),
      upgradeChecks: () => Promise.reject(new Error('not asked here')),
      steps: () => {
        asked += 1;
        return told();
      },
      close: async () => {},
    },
  });
});

describe('live steps', () => {
  it('are asked for once a second for all followers together, and for nobody else', async () => {
    await clock.advance(5000);
    expect(asked).toBe(0);
    const ends = [live.follow(WEB, () => {}), live.follow(WEB, () => {}), live.follow(WEB, () => {})];
    await clock.advance(0);
    expect(asked).toBe(1);
    await clock.advance(3000);
    expect(asked).toBe(4);
    ends[0]!();
    ends[0]!();
    await clock.advance(1000);
    expect(asked).toBe(5);
    for (const end of ends) end();
    await clock.advance(10_000);
    expect([asked, clock.pending]).toEqual([5, 0]);
    expect(live.of(WEB).size).toBe(0);
  });

  it.each<[string, () => void]>([
    ['whose machines have joined', () => (status = { bootstrap: { ticketTakenAt: 'x', joinedAt: 'y' } })],
    ['whose machines have not checked in', () => (status = { server: { state: 'Active' } })],
    ['whose machines were just made', () => (status = undefined)],
    ['that is being deleted', () => (deleting = { deletionTimestamp: 'x' })],
  ])('are never asked for of a cluster %s', async (_what, make) => {
    make();
    const end = live.follow(WEB, () => {});
    await clock.advance(10_000);
    await live.read(WEB);
    end();
    expect(asked).toBe(0);
  });

  it('are asked for once more after the last machine has joined, which tells how its last steps ended', async () => {
    const end = live.follow(WEB, () => {});
    await clock.advance(0);
    status = { bootstrap: { ticketTakenAt: 'x', joinedAt: 'y' } };
    told = async () => [{ machine: 'm', steps: [step('init', 'done', 0, 9)] }];
    // At once, not at the next second: the cluster may be ready before it.
    changed();
    await clock.advance(0);
    expect(asked).toBe(2);
    changed();
    await clock.advance(5000);
    expect(asked).toBe(2);
    expect(live.of(WEB).get('m')).toEqual([step('init', 'done', 0, 9)]);
    end();
  });

  it('are asked for once more when the last machine has joined while the question was on its way', async () => {
    let answer: (m: []) => void = () => {};
    told = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const end = live.follow(WEB, () => {});
    status = { bootstrap: { ticketTakenAt: 'x', joinedAt: 'y' } };
    changed();
    answer([]);
    await clock.advance(0);
    expect(asked).toBe(2);
    answer([]);
    await clock.advance(5000);
    expect(asked).toBe(2);
    end();
  });

  it('are asked for as soon as the first machine begins', async () => {
    status = undefined;
    const end = live.follow(WEB, () => {});
    await clock.advance(500);
    status = { bootstrap: { ticketTakenAt: 'x' } };
    changed();
    await clock.advance(0);
    expect(asked).toBe(1);
    end();
  });

  it('are not asked for sooner because something else changes', async () => {
    const end = live.follow(WEB, () => {});
    await clock.advance(0);
    for (let i = 0; i < 5; i++) {
      changed();
      await clock.advance(100);
    }
    expect(asked).toBe(1);
    end();
  });

  it('tell followers only what is new', async () => {
    let news = 0;
    const end = live.follow(WEB, () => news++);
    await clock.advance(0);
    await clock.advance(3000);
    expect(news).toBe(1);
    told = async () => [{ machine: 'm', steps: [step('init', 'done', 0, 4)] }];
    await clock.advance(3000);
    expect(news).toBe(2);
    end();
  });

  it('of several replicas of the bootstrap-worker are put together: each knows what it was told itself', async () => {
    const answers = [
      [{ machine: 'm', steps: [step('init', 'done', 0, 4)] }],
      [{ machine: 'm', steps: [step('init', 'running'), step('addons', 'running', 5)] }],
      [],
    ];
    told = async () => answers.shift() ?? [];
    const end = live.follow(WEB, () => {});
    await clock.advance(0);
    await clock.advance(3000);
    expect(live.of(WEB).get('m')).toEqual([step('init', 'done', 0, 4), step('addons', 'running', 5)]);
    end();
  });

  it('are not there while the bootstrap-worker does not answer, and come when it does', async () => {
    const answer = told;
    told = () => Promise.reject(new Error('connection refused'));
    const end = live.follow(WEB, () => {});
    await clock.advance(2000);
    expect([live.of(WEB).size, (await live.read(WEB)).size]).toEqual([0, 0]);
    told = answer;
    await clock.advance(1000);
    expect(live.of(WEB).get('m')).toEqual([step('init', 'running')]);
    end();
  });

  it('of an answer that takes long are not asked for a second time meanwhile', async () => {
    let answer: (m: { machine: string; steps: MachineStep[] }[]) => void = () => {};
    told = () => new Promise((resolve) => (answer = resolve));
    const end = live.follow(WEB, () => {});
    const reads = [live.read(WEB), live.read(WEB)];
    await clock.advance(5000);
    expect(asked).toBe(1);
    answer([{ machine: 'm', steps: [step('init', 'running')] }]);
    for (const r of await Promise.all(reads)) expect([...r.keys()]).toEqual(['m']);
    // Who asks now gets what followers know.
    expect([...(await live.read(WEB)).keys(), asked]).toEqual(['m', 1]);
    end();
  });

  it('may be read without following', async () => {
    expect((await live.read(WEB)).get('m')).toEqual([step('init', 'running')]);
    expect((await live.read({ ...WEB, name: 'none' })).size).toBe(0);
    expect([asked, clock.pending]).toEqual([1, 0]);
  });
});

describe('of two steps of one name', () => {
  it.each<[string, MachineStep, MachineStep, MachineStep]>([
    ['the end counts, not the beginning', step('a', 'done', 1, 2), step('a', 'running', 1), step('a', 'done', 1, 2)],
    [
      'the end counts, whichever is told first',
      step('a', 'running', 1),
      step('a', 'done', 1, 2),
      step('a', 'done', 1, 2),
    ],
    ['the later try counts', step('a', 'failed', 1, 2), step('a', 'running', 5), step('a', 'running', 5)],
    [
      'the later try counts, whichever is told first',
      step('a', 'running', 5),
      step('a', 'failed', 1, 2),
      step('a', 'running', 5),
    ],
  ])('%s', (_what, a, b, result) => {
    expect(mergeSteps([a], [b])).toEqual([result]);
  });
  it('others stay, in order of time', () => {
    expect(
      mergeSteps([step('b', 'done', 5, 1)], [step('a', 'done', 1, 1), step('c', 'running', 9)]).map((s) => s.name),
    ).toEqual(['a', 'b', 'c']);
  });
});
