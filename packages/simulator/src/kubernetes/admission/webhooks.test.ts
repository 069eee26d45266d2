import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serve } from '../test-support.ts';

interface Review {
  request: { uid: string; operation: string; object: { metadata: { name: string } } };
}

let s: Awaited<ReturnType<typeof serve>>;
let hook: Server;
let asked: Review['request'][];
let answer: (review: Review) => object;

beforeEach(async () => {
  s = await serve();
  asked = [];
  hook = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const review = JSON.parse(text) as Review;
    asked.push(review.request);
    response.end(
      JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: review.request.uid, ...answer(review) },
      }),
    );
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await s.close();
  hook.closeAllConnections();
  await new Promise((resolve) => hook.close(resolve));
});

const configure = (kind: 'validating' | 'mutating', more: object = {}) =>
  s.call('POST', `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`, {
    metadata: { name: 'door' },
    webhooks: [
      {
        name: 'door.demo.dev',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/check` },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        ...more,
      },
    ],
  });
const post = () =>
  s.call('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'c' }, data: { a: '1' } });

describe('admission webhooks', () => {
  it('refuse with their own code and message', async () => {
    answer = () => ({ allowed: false, status: { code: 422, reason: 'Invalid', message: 'no' } });
    expect((await configure('validating')).status).toBe(201);
    expect((await post()).body).toMatchObject({
      code: 422,
      message: 'admission webhook "door.demo.dev" denied the request: no',
    });
    expect(asked[0]).toMatchObject({ operation: 'CREATE', object: { metadata: { name: 'c' } } });
  });

  it('change the object before it is stored', async () => {
    const patch = Buffer.from(JSON.stringify([{ op: 'add', path: '/data/b', value: '2' }])).toString('base64');
    answer = () => ({ allowed: true, patchType: 'JSONPatch', patch });
    await configure('mutating');
    expect((await post()).body.data).toEqual({ a: '1', b: '2' });
  });

  it('are not asked when a match condition does not hold', async () => {
    answer = () => ({ allowed: false });
    await configure('validating', {
      matchConditions: [{ name: 'other', expression: "object.metadata.name == 'other'" }],
    });
    expect((await post()).status).toBe(201);
    expect(asked).toEqual([]);
  });

  it('that fail are passed over, or not, as failurePolicy says', async () => {
    answer = () => ({ allowed: true, uid: 'another' });
    await configure('validating', { failurePolicy: 'Fail' });
    expect((await post()).body.message).toMatch(/^Internal error occurred: failed calling webhook "door.demo.dev"/);
    const patch = [{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }];
    await s.call('PATCH', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/door', patch, {
      'content-type': 'application/json-patch+json',
    });
    expect((await post()).status).toBe(201);
  });
});
