import { expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { connectionFromSecret } from './secret-connection.ts';
import { startFakeApi } from './testing/index.ts';

it('reads the connection of a cluster from its Secret, and says undefined where there is none', async () => {
  const api = await startFakeApi();
  const client = new KubeClient({ connection: { server: api.url }, userAgent: 'test/1' });
  const kubeconfig = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://203.0.113.7:6443' } }],
    users: [{ name: 'u', user: { token: 't' } }],
  };
  const data = { value: Buffer.from(JSON.stringify(kubeconfig)).toString('base64') };
  const secret = { metadata: { name: 'k', namespace: 'shoto-system' }, data };
  api.put('/api/v1/namespaces/shoto-system/secrets', secret);
  const ref = { namespace: 'shoto-system', name: 'k' };
  expect(await connectionFromSecret(client, ref)).toEqual({ server: 'https://203.0.113.7:6443', token: 't' });
  expect(await connectionFromSecret(client, ref, 'other')).toBeUndefined();
  expect(await connectionFromSecret(client, { ...ref, name: 'none' })).toBeUndefined();
  await client.close();
  await api.close();
});
