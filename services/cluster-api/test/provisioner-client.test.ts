import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClusterSpec } from '@shoto/api';
import { createAuthority, issue } from '@shoto/pki';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BootstrapClient, createBootstrapClient } from '../src/bootstrap-client.ts';
import { createProvisionerClient, type ProvisionerClient } from '../src/provisioner-client.ts';
import { type Files, temporaryFiles } from './files.ts';

/** What the fake service answers with; undefined: never. */
let answer: { status: number; body: unknown } | undefined;
let asked: { caller: string; method: string; path: string; body: unknown }[] = [];
let files: Files;
let provisioner: ProvisionerClient;
let bootstrap: BootstrapClient;
let stop: () => Promise<void>;

beforeAll(async () => {
  files = await temporaryFiles();
  const ca = await createAuthority('internal');
  const own = await issue(ca, { commonName: 'x', usages: ['server'], ipAddresses: ['127.0.0.1'], seconds: 600 });
  const client = await issue(ca, { commonName: 'cluster-api', usages: ['client'], seconds: 600 });
  const server = createServer(
    { ca: ca.certificate, cert: own.certificate, key: own.key, requestCert: true, rejectUnauthorized: true },
    (req, res) => {
      let text = '';
      req.on('data', (c: Buffer) => {
        text += c.toString();
      });
      req.on('end', () => {
        const caller = (req.socket as TLSSocket).getPeerCertificate().subject.CN as string;
        asked.push({ caller, method: req.method ?? '', path: req.url ?? '', body: JSON.parse(text) });
        if (answer) res.writeHead(answer.status).end(JSON.stringify(answer.body));
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections());
  const internal = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile: await files.write('ca.crt', ca.certificate),
    certFile: await files.write('own.crt', client.certificate),
    keyFile: await files.write('own.key', client.key),
  };
  provisioner = createProvisionerClient(internal);
  bootstrap = createBootstrapClient(internal);
});
afterAll(async () => {
  await stop();
  await provisioner.close();
  await bootstrap.close();
  await files.remove();
});

it('a plan is asked for with the whole spec, in our own name', async () => {
  const plan = { from: 'a', to: 'b', steps: [], blockers: [], notes: [] };
  answer = { status: 200, body: plan };
  asked = [];
  expect(await provisioner.plan('tenant-blue', 'web', { release: 'b' } as ClusterSpec)).toEqual(plan);
  expect(asked).toEqual([
    {
      caller: 'cluster-api',
      method: 'POST',
      path: '/internal/v1/clusters/tenant-blue/web/plan',
      body: { spec: { release: 'b' } },
    },
  ]);
});

it('capacity is asked for by flavor', async () => {
  answer = {
    status: 200,
    body: { resources: [{ name: 'instances', needed: 2, left: 1, used: 9, limit: null }], more: 'x' },
  };
  asked = [];
  const needs = [{ flavor: 'm1.small', count: 2 }];
  expect(await provisioner.capacity('one', needs)).toEqual({
    resources: [{ name: 'instances', needed: 2, left: 1, used: 9, limit: null }],
  });
  expect(asked[0]).toMatchObject({
    path: '/internal/v1/regions/one/capacity',
    body: { needs: { machines: needs } },
  });
});

it('upgrade checks are asked for with the version', async () => {
  answer = { status: 200, body: { deprecatedApis: [], budgets: [] } };
  asked = [];
  expect(await bootstrap.upgradeChecks('tenant-blue', 'web', 'v1.36.3')).toEqual({ deprecatedApis: [], budgets: [] });
  expect(asked[0]).toMatchObject({
    path: '/internal/v1/clusters/tenant-blue/web/upgrade-checks',
    body: { to: 'v1.36.3' },
  });
});

it.each<[string, { status: number; body: unknown }]>([
  ['a refusal', { status: 500, body: {} }],
  ['what is no answer of this kind', { status: 200, body: { resources: 'many' } }],
])('%s is an error, never an answer', async (_what, given) => {
  answer = given;
  await expect(provisioner.capacity('one', [])).rejects.toThrow();
  await expect(provisioner.plan('a', 'b', {} as ClusterSpec)).rejects.toThrow();
  await expect(bootstrap.upgradeChecks('a', 'b', 'v1.36.3')).rejects.toThrow();
});

it('advice that does not come within two seconds is not waited for', async () => {
  answer = undefined;
  const began = performance.now();
  await expect(provisioner.capacity('one', [])).rejects.toThrow(/time/i);
  expect(performance.now() - began).toBeLessThan(4000);
});
