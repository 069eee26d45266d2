import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { kubeconfig } from './kubeconfig.ts';

const base = { cluster: 'web', server: 'https://203.0.113.7:6443', ca: 'CA PEM', user: 'jane' };
const decode = (text: string): string => Buffer.from(text, 'base64').toString();

it('holds everything that a client needs, with one context', () => {
  const file = parse(
    kubeconfig({ ...base, credential: { certificate: 'CERT PEM', key: 'KEY PEM' }, namespace: 'default' }),
  );
  expect(file['current-context']).toBe('jane@web');
  expect(file.contexts).toEqual([
    { name: 'jane@web', context: { cluster: 'web', user: 'jane', namespace: 'default' } },
  ]);
  expect(file.clusters[0].cluster.server).toBe(base.server);
  expect(decode(file.clusters[0].cluster['certificate-authority-data'])).toBe('CA PEM');
  expect(decode(file.users[0].user['client-certificate-data'])).toBe('CERT PEM');
  expect(decode(file.users[0].user['client-key-data'])).toBe('KEY PEM');
});

it('can carry a token, or nobody at all', () => {
  expect(parse(kubeconfig({ ...base, credential: { token: 't' } })).users[0].user).toEqual({ token: 't' });
  expect(parse(kubeconfig(base)).users[0].user).toEqual({});
});

it('cannot be bent by a name with YAML in it', () => {
  const user = 'a: b\n- "c"';
  expect(parse(kubeconfig({ ...base, user })).users[0].name).toBe(user);
});
