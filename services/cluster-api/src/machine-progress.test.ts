import type { Machine } from '@shoto/api';
import { expect, it } from 'vitest';
import { machineProgress } from './machine-progress.ts';

const says = (type: string, status: string, reason: string, message = '') => ({ type, status, reason, message });
const joined = { ticketTakenAt: 'x', joinedAt: 'y', conditions: [says('Joined', 'True', 'Joined')] };
const aMachine = (status: object, metadata: object = {}) =>
  ({ metadata: { name: 'm', ...metadata }, spec: { pool: 'default' }, status }) as unknown as Machine;

it.each<[string, object, object, [server: string, state: string, message: string]]>([
  ['that was just made', {}, {}, ['Pending', 'waiting', 'waits for its server']],
  [
    'whose server is built',
    { server: { state: 'Building' } },
    {},
    ['Building', 'running', 'its server is being built'],
  ],
  ['whose server runs', { server: { state: 'Active' } }, {}, ['Active', 'running', 'boots']],
  [
    'that installs: that it has not joined yet is no failure',
    {
      server: { state: 'Active' },
      bootstrap: { ticketTakenAt: 'x', conditions: [says('Joined', 'False', 'Installing')] },
    },
    {},
    ['Active', 'running', 'installs Kubernetes'],
  ],
  [
    'that failed a step',
    { server: { state: 'Active' }, bootstrap: { conditions: [says('Joined', 'False', 'StepFailed', 'init failed')] } },
    {},
    ['Active', 'failed', 'init failed'],
  ],
  [
    'for which there is no quota',
    { server: { conditions: [says('ServerReady', 'False', 'QuotaExceeded', 'no cores left')] } },
    {},
    ['Pending', 'failed', 'no cores left'],
  ],
  [
    'that has joined',
    { server: { state: 'Active' }, bootstrap: joined },
    {},
    ['Active', 'running', 'joined; its node is not ready yet'],
  ],
  [
    'that is ready',
    { server: { state: 'Active' }, bootstrap: joined, health: { ready: true } },
    {},
    ['Active', 'done', 'its node is ready'],
  ],
  [
    'that goes',
    { server: { state: 'Active', conditions: [says('InEndpoint', 'False', 'Removed')] }, bootstrap: joined },
    { deletionTimestamp: 'x' },
    ['Deleting', 'running', 'is being removed'],
  ],
])('how far a machine is %s', (_what, status, metadata, [server, state, message]) => {
  expect(machineProgress(aMachine(status, metadata), [])).toEqual({
    name: 'm',
    pool: 'default',
    server,
    state,
    message,
    steps: [],
  });
});

it('steps that are stored and steps that are told live are one list', () => {
  const at = (second: number) => `2026-01-01T00:00:0${second}Z`;
  const stored = { name: 'download', state: 'failed', startedAt: at(1), seconds: 1 };
  const again = { name: 'download', state: 'done', startedAt: at(3), seconds: 2 } as const;
  const runs = { name: 'init', state: 'running', startedAt: at(5) } as const;
  expect(machineProgress(aMachine({ bootstrap: { steps: [stored] } }), [again, runs]).steps).toEqual([again, runs]);
  expect(machineProgress(aMachine({ bootstrap: { steps: [stored] } }), []).steps).toEqual([stored]);
});
