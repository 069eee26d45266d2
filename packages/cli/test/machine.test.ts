import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aCluster, aMachine, CLUSTERS, startWorld, type World } from './world.ts';

let w: World;
beforeEach(async () => {
  w = await startWorld();
});
afterEach(() => w.close());
const run = (line: string) => w.shoto(line.split(' '));
const MACHINE = `${CLUSTERS}/web/machines/web-a`;
const condition = (type: string, status: string, reason: string, message = '') => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:50:00Z',
});
const marked = (until: string) =>
  aMachine('web-a', { metadata: { name: 'web-a', annotations: { 'shoto.dev/keep-until': until } } });

describe('keep', () => {
  it.each([
    ['', '2026-01-02T01:00:00.000Z'],
    [' --until 90m', '2026-01-01T02:30:00.000Z'],
    [' --until 7d', '2026-01-08T01:00:00.000Z'],
    [' --until 2026-01-05T12:00:00+09:00', '2026-01-05T03:00:00.000Z'],
  ])('machine%s', async (until, sent) => {
    w.on(`POST ${MACHINE}/keep`, { body: marked('2026-01-02T01:00:00Z') });
    const ran = await run(`keep machine web-a --cluster web${until}`);
    expect(ran).toEqual({
      code: 0,
      err: '',
      out: 'machine/web-a is kept until 2026-01-02T01:00:00Z; its pool gets another machine\n',
    });
    expect(w.seen[0]?.body).toEqual({ until: sent });
  });

  it('passes on why, and prints the machine where it is asked to', async () => {
    w.on(`POST ${MACHINE}/keep`, { body: marked('2026-01-02T01:00:00Z') });
    const ran = await w.shoto(['keep', 'machine', 'web-a', '--cluster', 'web', '--reason', 'odd disk', '-o', 'json']);
    expect(JSON.parse(ran.out)).toEqual(marked('2026-01-02T01:00:00Z'));
    expect(w.seen[0]?.body).toMatchObject({ reason: 'odd disk' });
  });

  it('is taken off by unkeep, and force cuts short', async () => {
    w.on(`DELETE ${MACHINE}/keep`, { body: aMachine('web-a') });
    w.on(`POST ${MACHINE}/force`, { body: aMachine('web-a') });
    expect((await run('unkeep machine web-a --cluster web')).out).toBe('machine/web-a returns to service\n');
    expect((await run('force machine web-a --cluster web')).out).toBe('machine/web-a goes without drain\n');
  });

  it.each<[string, string]>([
    ['keep machine web-a', "required option '--cluster <name>' not specified"],
    ['keep machine web-a --cluster web --until soon', '"soon" is no time'],
    ['keep machine web-a --cluster web --until 2026-99-01', '--until 2026-99-01 is no time'],
  ])('%s is refused', async (line, words) => {
    const ran = await run(line);
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(words)]);
    expect(w.seen).toEqual([]);
  });
});

describe('get machines and describe cluster', () => {
  const sick = {
    health: {
      ready: false,
      sickSince: '2026-01-01T00:50:00Z',
      conditions: [condition('Healthy', 'False', 'NodeSilent'), condition('Remediation', 'True', 'CarriedOut')],
    },
  };
  it('note what is kept, and what ails whom and what is done', async () => {
    const kept = marked('2026-01-02T01:00:00Z');
    const over = marked('2026-01-01T00:00:00Z');
    w.on(`GET ${CLUSTERS}/web/machines`, {
      body: { items: [kept, { ...kept, status: sick }, aMachine('web-b', { status: sick }), over] },
    });
    const { out } = await run('get machines --cluster web');
    expect(out.split('\n').map((l) => l.split(/ {3,}/).at(-1))).toEqual([
      'NOTE',
      'kept until 2026-01-02T01:00:00Z',
      'kept until 2026-01-02T01:00:00Z; sick: NodeSilent, CarriedOut',
      'sick: NodeSilent, CarriedOut',
      '-',
      '',
    ]);
  });

  it('tell what holds a cluster back', async () => {
    const c = aCluster();
    const infrastructure = {
      ...c.status.infrastructure,
      conditions: [
        condition('UpToDate', 'False', 'EmergencyStop', '1 of 3 machines'),
        condition('EmergencyStop', 'True', 'EmergencyStop', 'the emergency stop of the fleet is on'),
      ],
    };
    const health = { conditions: [condition('HealingHeld', 'True', 'TooMany', '3 of 4 are sick')] };
    w.on(`GET ${CLUSTERS}/web`, {
      body: {
        ...c,
        spec: {
          ...c.spec,
          paused: true,
          healing: { enabled: false },
          maintenanceWindow: { timeZone: 'Asia/Tokyo', days: ['Sat', 'Sun'], start: '02:00', durationMinutes: 240 },
        },
        status: { ...c.status, infrastructure, health },
      },
    });
    w.on(`GET ${CLUSTERS}/web/machines`, {
      body: {
        items: [
          aMachine('web-b', { status: { health: { conditions: [condition('Remediation', 'False', 'Recovered')] } } }),
        ],
      },
    });
    w.on(`GET ${CLUSTERS}/web/events`, { body: { items: [] } });
    const lines = (await run('describe cluster web')).out.split('\n');
    for (const line of [
      'Paused:         yes; shoto resume cluster web lets it go on',
      'Emergency stop: the emergency stop of the fleet is on',
      'Up to date:     no, EmergencyStop: 1 of 3 machines',
      'Window:         Sat,Sun 02:00-06:00 Asia/Tokyo (opens at 2026-01-02T17:00Z)',
      'Healing:        off',
      'Healing held:   TooMany: 3 of 4 are sick',
    ])
      expect(lines).toContain(line);
    // That one got well again is no trouble.
    expect(lines).not.toContain('Trouble:');
  });
});

describe('fleet', () => {
  const PATH = '/v1/fleet/emergency-stop';
  const env = () => ({ SHOTO_API_URL: w.url, SHOTO_TOKEN: 't0ken' });
  const on = { on: true, reason: 'fire', by: 'root', since: 'x', message: 'the emergency stop is on' };

  it('stop, status and resume need no tenant', async () => {
    w.on(`PUT ${PATH}`, { body: on });
    w.on(`GET ${PATH}`, { body: on });
    w.on(`DELETE ${PATH}`, { body: { on: false, message: 'the emergency stop is off' } });
    expect(await w.shoto(['fleet', 'stop', '--reason', 'fire'], { env: env() })).toEqual({
      code: 0,
      err: '',
      out: 'the emergency stop is on\n',
    });
    expect(w.seen[0]?.body).toEqual({ reason: 'fire' });
    expect(JSON.parse((await w.shoto(['fleet', 'status', '-o', 'json'], { env: env() })).out)).toEqual(on);
    expect((await w.shoto(['fleet', 'resume'], { env: env() })).out).toBe('the emergency stop is off\n');
  });

  it('stop is not for everybody, and needs a reason', async () => {
    w.on(`PUT ${PATH}`, { status: 403, body: { status: 403, reason: 'Forbidden', detail: 'ann is none' } });
    expect((await w.shoto(['fleet', 'stop', '--reason', 'x'])).code).toBe(5);
    expect((await w.shoto(['fleet', 'stop'])).err).toContain("required option '--reason <text>' not specified");
    expect((await w.shoto(['fleet', 'status', '-o', 'table'])).err).toContain('choose json or yaml');
  });
});
