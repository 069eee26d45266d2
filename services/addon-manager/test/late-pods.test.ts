import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { looking } from './look.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const { addonsOf, SYSTEM } = looking(() => w);
const PULL = 'Back-off pulling image "log:broken": not found';
const BEHIND = 'DaemonSet kube-system/log has 0 of 2 pods available';
const SAID = `pod log-1 on node web-1: ImagePullBackOff of container log: ${PULL}`;

/** A pod, of the DaemonSet `log` by its label or of another, whose container waits. */
function stuckPod(name: string, app: string, message = PULL): void {
  const pods = w.workload.api.resource({ group: '', version: 'v1', plural: 'pods' });
  pods.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: SYSTEM, labels: { app } },
    spec: { nodeName: 'web-1', containers: [{ name: 'log', image: 'log:broken' }] },
  } as never);
  pods.patchStatus({ namespace: SYSTEM, name }, {
    phase: 'Pending',
    containerStatuses: [
      {
        name: 'log',
        image: 'log:broken',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { waiting: { reason: 'ImagePullBackOff', message } },
      },
    ],
  } as never);
}

/** Counts the lists of pods from now on. */
function lists(answer?: { status: number; body: object }): string[] {
  const seen: string[] = [];
  w.workload.disturb(({ method, path }) => {
    if (method !== 'GET' || !path.endsWith('/pods')) return undefined;
    seen.push(path);
    return answer;
  });
  return seen;
}

async function stuckUpdate(): Promise<void> {
  w = await startWorld([{ name: 'log' }]);
  w.publishFiles('log-1.0.0', small('log', '1.0.0'));
  await w.settle();
  w.publishFiles('log-1.1.0', small('log', '1.1.0', { image: 'log:broken' }));
  await w.pass();
  stuckPod('log-1', 'log');
  stuckPod('a-stranger', 'other');
  w.rollOut(2);
}

describe('an update that is given up', () => {
  it('names the first of its pods that does not run, and asks for pods once', async () => {
    await stuckUpdate();
    const seen = lists();
    for (let i = 0; i < 5; i++) await w.pass();
    expect(seen).toEqual([]);
    w.later(61);
    await w.settle();
    const { failed } = addonsOf('log')!;
    expect(failed?.message).toBe(`1.1.0 was not healthy within 60 s: ${BEHIND}; ${SAID}`);
    expect(w.standing().UpToDate).toContain(`${BEHIND}; ${SAID}; it is tried again with`);
    expect(seen).toEqual([`/api/v1/namespaces/${SYSTEM}/pods`]);
  });

  it('is given up all the same where the pods cannot be listed', async () => {
    await stuckUpdate();
    lists({ status: 403, body: { message: 'no' } });
    w.later(61);
    await w.settle();
    expect(addonsOf('log')?.failed?.message).toBe(`1.1.0 was not healthy within 60 s: ${BEHIND}`);
  });
});

describe('a first installation that is late', () => {
  it('names the pod too, and looks at its pods once in five minutes or when its counts change', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { image: 'log:broken' }));
    await w.pass();
    stuckPod('log-1', 'log');
    w.rollOut(0);
    const seen = lists();
    const healthy = () => w.standingOf('log').Healthy;
    const late = async (seconds: number) => {
      w.later(seconds);
      await w.pass();
    };
    await late(61);
    expect(healthy()).toBe(`False NotHealthyInTime: not healthy within 60 s: ${BEHIND}; ${SAID}`);
    for (let i = 0; i < 5; i++) await late(30);
    expect(seen).toHaveLength(1);
    await late(200);
    expect(seen).toHaveLength(2);
    w.workload.api
      .resource({ group: 'apps', version: 'v1', plural: 'daemonsets' })
      .patchStatus({ namespace: SYSTEM, name: 'log' }, { numberAvailable: 1 } as never);
    await late(30);
    expect([seen.length, healthy()?.includes(`has 1 of 2 pods available; ${SAID}`)]).toEqual([3, true]);
  });
});
