import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { looking } from './look.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const { addonsOf, ask, clusters, image, sets, SYSTEM, WEB } = looking(() => w);
const items = () => w.cluster()?.status?.addons?.items;
const events = () => w.events.map((e) => `${e.type} ${e.reason}: ${e.message}`);
const SICK = 'DaemonSet kube-system/log has 0 of 2 pods available';
const SET = `GET /apis/apps/v1/namespaces/${SYSTEM}/daemonsets/log`;

/** Requests to the workload cluster while this runs. */
async function requests(during: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  w.workload.disturb(({ method, path }) => {
    seen.push(`${method} ${path}`);
    return undefined;
  });
  await during();
  w.workload.disturb(undefined);
  return seen;
}

/** So many pods of every DaemonSet run from now on; a pass after its watch has told that, and the time to look has come. */
async function run(available: number): Promise<void> {
  w.rollOut(available);
  await w.noticed();
  w.later(10);
  await w.pass();
}

async function minutes(n: number): Promise<void> {
  w.later(60 * n);
  await w.pass();
}

async function started(addon: object = {}, o: { more?: object; others?: object[] } = {}): Promise<void> {
  w = await startWorld([{ name: 'log', ...addon }, ...(o.others ?? [])]);
  w.publishFiles('log-1.0.0', small('log', '1.0.0', { more: o.more ?? {} }));
  for (const { name } of (o.others ?? []) as { name: string }[])
    w.publishFiles(`${name}-1.0.0`, small(name, '1.0.0', { more: { dependsOn: [{ name: 'log' }] } }));
  await w.settle();
  await w.noticed();
  // The slow pass is over, too.
  w.later(6 * 3600);
  await w.settle();
  w.wakes.length = 0;
}

describe('what the health of an addon that runs costs', () => {
  it('is no request while nothing changes, for however long', async () => {
    await started();
    const passes = async () => {
      for (let i = 0; i < 5; i++) await minutes(1);
    };
    expect([await requests(passes), w.wakes]).toEqual([[], []]);
  });

  it('is one request and one pass for all changes of an object’s status within ten seconds', async () => {
    await started();
    for (const n of [1, 0, 1, 0, 2, 1]) w.rollOut(n);
    await w.noticed();
    expect(await requests(() => w.pass())).toEqual([]);
    w.later(10);
    expect(await requests(() => w.pass())).toEqual([SET]);
    expect(w.wakes).toEqual([10_000]);
  });

  it('is none where an object changes that no check names', async () => {
    await started();
    await w.workload.client.mergePatch(
      { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
      { namespace: SYSTEM, name: 'log-settings' },
      { metadata: { annotations: { seen: 'yes' } } },
      { fieldManager: 'a-controller' },
    );
    await w.noticed();
    w.later(10);
    expect([await requests(() => w.pass()), w.wakes]).toEqual([[], []]);
  });
});

describe('an addon that runs and is not well', () => {
  it('says so after a minute, on the Addon, on the Cluster and in an Event; and at once that it is well again', async () => {
    await started();
    await run(0);
    expect([w.standingOf('log').Healthy, items()?.[0]?.healthy]).toEqual(['True RolledOut: its workloads run', true]);
    await minutes(1);
    expect(w.standingOf('log')).toMatchObject({
      Applied: 'True Applied: bundle log-1.0.0 is applied',
      Healthy: `False Unhealthy: ${SICK}`,
      UpToDate: 'True UpToDate: 1.0.0 is what it should be',
    });
    expect(w.standing()).toMatchObject({
      Applied: 'True Applied: applied: log',
      Healthy: `False Unhealthy: log: ${SICK}`,
      UpToDate: 'True UpToDate: every addon is what it should be',
    });
    expect(items()).toEqual([{ name: 'log', version: '1.0.0', healthy: false }]);
    expect(events()).toEqual([`Warning Unhealthy: ${SICK}`]);
    await run(2);
    expect([w.standingOf('log').Healthy, w.standing().Healthy, items()?.[0]?.healthy]).toEqual([
      'True RolledOut: its workloads run',
      'True RolledOut: all addons run',
      true,
    ]);
    expect(events()).toEqual([`Warning Unhealthy: ${SICK}`, 'Normal HealthyAgain: its workloads run']);
  });

  it('is looked at again when the minute is over, and asked nothing once it is said', async () => {
    await started();
    w.rollOut(0);
    await w.noticed();
    w.later(10);
    const ms = (await w.pass())?.requeueAfterMs;
    expect(ms).toBeGreaterThan(30_000);
    expect(ms).toBeLessThanOrEqual(60_000);
    w.later(60);
    expect(await requests(() => w.pass())).toEqual([SET]);
    const later = async () => {
      for (let i = 0; i < 5; i++) await minutes(10);
    };
    expect([await requests(later), await w.pass()]).toEqual([[], undefined]);
  });

  it('for less than a minute, again and again, says nothing', async () => {
    await started();
    for (let i = 0; i < 4; i++) {
      await run(0);
      w.later(30);
      await w.pass();
      await run(2);
    }
    await minutes(5);
    expect([w.standingOf('log').Healthy, events()]).toEqual(['True RolledOut: its workloads run', []]);
  });

  it('is well where its objects were seen to be by another process in the meantime', async () => {
    await started();
    await run(0);
    // The watch of this one is behind.
    const outcome = requests(async () => {
      w.rollOut(2);
      await minutes(1);
    });
    expect(await outcome).toEqual([SET]);
    expect(w.standingOf('log').Healthy).toBe('True RolledOut: its workloads run');
  });

  it('because an object of it is gone says that, also where nobody minds its drift', async () => {
    await started({ drift: 'Ignore' });
    sets().delete({ namespace: SYSTEM, name: 'log' });
    await w.noticed();
    w.later(10);
    await w.pass();
    await minutes(1);
    expect(w.standingOf('log').Healthy).toBe('False Unhealthy: DaemonSet kube-system/log is not there yet');
  });

  it('is told of while it is paused', async () => {
    await started();
    ask([{ name: 'log', paused: true }]);
    await w.pass();
    await run(0);
    await minutes(1);
    expect(w.standingOf('log').Healthy).toBe(`False Unhealthy: ${SICK}`);
  });

  it('goes by the check of its bundle, and its words', async () => {
    const check = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: SYSTEM, name: 'log' };
    const cel = { ...check, cel: 'object.status.numberAvailable >= 1', message: 'ships no logs' };
    await started({}, { more: { health: { checks: [cel] } } });
    await run(1);
    await minutes(1);
    expect(w.standingOf('log').Healthy).toBe('True RolledOut: its workloads run');
    await run(0);
    await minutes(1);
    expect(w.standingOf('log').Healthy).toBe('False Unhealthy: DaemonSet kube-system/log ships no logs');
  });
});

describe('an addon that is not well holds nothing up', () => {
  it('it does not go back, and takes the next version', async () => {
    await started();
    await run(0);
    for (let i = 0; i < 3; i++) await minutes(10);
    expect([image('log'), addonsOf('log')?.failed]).toEqual(['log:1.0.0', undefined]);
    w.publishFiles('log-1.1.0', small('log', '1.1.0'));
    await w.settle();
    expect([image('log'), w.standingOf('log').Healthy]).toEqual(['log:1.1.0', 'True RolledOut: its workloads run']);
  });

  it('the cluster is ready for its next version all the same', async () => {
    await started();
    w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'kubernetesreleases' }).create({
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'KubernetesRelease',
      metadata: { name: 'v1.36.3' },
      spec: { version: 'v1.36.3', images: [{ region: 'one', image: 'i' }] },
    } as never);
    clusters().patchStatus(WEB, { infrastructure: { release: 'v1.35.4' } });
    clusters().patch(WEB, { spec: { release: 'v1.36.3' } });
    await w.settle();
    await run(0);
    await minutes(1);
    const { readyFor, blocked } = w.cluster()!.status!.addons!;
    expect([readyFor, blocked, items()?.[0]?.healthy]).toEqual(['v1.36.3', undefined, false]);
  });

  it('what needs it is updated', async () => {
    await started({}, { others: [{ name: 'needy' }] });
    await run(0);
    await minutes(1);
    w.publishFiles('needy-1.1.0', small('needy', '1.1.0', { more: { dependsOn: [{ name: 'log' }] } }));
    await w.pass();
    expect([w.standingOf('log').Healthy, image('needy')]).toEqual([`False Unhealthy: ${SICK}`, 'needy:1.1.0']);
  });

  it('while machines are replaced it is said only after ten minutes', async () => {
    await started();
    clusters().patchStatus(WEB, {
      infrastructure: { rollout: { release: 'v1.35.4', startedAt: '2026-01-01T00:00:00Z' } },
    });
    await run(0);
    await minutes(5);
    expect(w.standingOf('log').Healthy).toBe('True RolledOut: its workloads run');
    await minutes(5);
    expect(w.standingOf('log').Healthy).toBe(`False Unhealthy: ${SICK}`);
  });
});

describe('a process that begins anew', () => {
  it('keeps saying what is so, sees what has become well, and what has not', async () => {
    await started();
    await run(0);
    await minutes(1);
    w.restart();
    await w.pass();
    expect(w.standingOf('log').Healthy).toBe(`False Unhealthy: ${SICK}`);
    w.restart();
    w.rollOut(2);
    await w.pass();
    expect(w.standingOf('log').Healthy).toBe('True RolledOut: its workloads run');
    w.restart();
    w.rollOut(0);
    await w.pass();
    await run(0);
    await minutes(1);
    expect([w.standingOf('log').Healthy, events().length]).toEqual([`False Unhealthy: ${SICK}`, 3]);
  });
});

describe('a cluster that does not answer', () => {
  it('leaves what is said as it is, and is asked once a minute', async () => {
    await started();
    await run(0);
    const away = { status: 503, body: { message: 'away' } };
    w.workload.disturb(({ method, path }) => (`${method} ${path}` === SET ? away : undefined));
    await minutes(1);
    expect(w.standingOf('log').Healthy).toBe('True RolledOut: its workloads run');
    expect((await w.pass())?.requeueAfterMs).toBeGreaterThan(30_000);
    w.workload.disturb(undefined);
    await minutes(1);
    expect(w.standingOf('log').Healthy).toBe(`False Unhealthy: ${SICK}`);
    w.workload.disturb(({ method, path }) => (`${method} ${path}` === SET ? away : undefined));
    w.restart();
    await w.pass();
    expect(w.standingOf('log').Healthy).toBe(`False Unhealthy: ${SICK}`);
  });
});
