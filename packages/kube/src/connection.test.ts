import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectionFromKubeconfig, KubeconfigError } from './connection.ts';

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const kubeconfig = (user: object, cluster: object = {}): string =>
  JSON.stringify({
    'current-context': 'main',
    contexts: [{ name: 'main', context: { cluster: 'c', user: 'u' } }],
    clusters: [
      { name: 'c', cluster: { server: 'https://10.0.0.1:6443/', 'certificate-authority-data': b64('CA'), ...cluster } },
    ],
    users: [{ name: 'u', user }],
  });

describe('a kubeconfig', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('gives inline certificates and tokens', () => {
    expect(
      connectionFromKubeconfig({
        text: kubeconfig({ 'client-certificate-data': b64('CERT'), 'client-key-data': b64('KEY') }),
      }),
    ).toEqual({
      server: 'https://10.0.0.1:6443',
      ca: 'CA',
      cert: 'CERT',
      key: 'KEY',
    });
    expect(connectionFromKubeconfig({ text: kubeconfig({ token: 't' }, { 'tls-server-name': 'api' }) })).toMatchObject({
      token: 't',
      serverName: 'api',
    });
  });

  it('finds files beside itself, and reads a token file when it is used', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'shoto-kubeconfig-'));
    writeFileSync(join(dir, 'ca.pem'), 'CA-FILE');
    writeFileSync(join(dir, 'token'), 'from-file\n');
    const text = kubeconfig(
      { tokenFile: 'token' },
      { 'certificate-authority-data': undefined, 'certificate-authority': 'ca.pem' },
    );
    writeFileSync(join(dir, 'config'), text);
    const connection = connectionFromKubeconfig({ file: join(dir, 'config') });
    expect(connection.ca).toBe('CA-FILE');
    expect(await (connection.token as () => Promise<string>)()).toBe('from-file');
  });

  it('logs in by the plug-in that it names', async () => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'from-plugin' },
    };
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-e', `console.log(${JSON.stringify(JSON.stringify(credential))})`],
      interactiveMode: 'Never',
    };
    const connection = connectionFromKubeconfig({ text: kubeconfig({ exec }) });
    expect(await connection.login?.(false)).toEqual({ token: 'from-plugin' });
    const broken = connectionFromKubeconfig({
      text: kubeconfig({ exec: { ...exec, args: ['-e', 'console.error("hunter2"); process.exit(1)'] } }),
    });
    const error = await broken.login?.(false).catch((e: Error) => e);
    expect(String(error)).toContain('login by plug-in of context "main" failed');
    expect(String(error)).not.toContain('hunter2');
  });

  it.each([
    ['is not YAML', '{{ hunter2'],
    ['has no context "" (it has: none)', '{}'],
    ['is empty', ''],
    ['has no cluster "c" with a server', kubeconfig({}).replace('"server":"https://10.0.0.1:6443/",', '')],
    ['server is not a URL', kubeconfig({}).replace('https://10.0.0.1:6443/', 'hunter2')],
    ['basic authentication is not supported', kubeconfig({ username: 'u', password: 'hunter2' })],
    ['client-key cannot be read', kubeconfig({ 'client-key': '/nowhere/key' })],
  ])('that %s is refused in words that hold no secret', (message, text) => {
    const load = (): unknown => connectionFromKubeconfig({ text });
    expect(load).toThrow(KubeconfigError);
    expect(load).toThrow(message);
    expect(load).not.toThrow(/hunter2/);
  });

  it('that is not given is said, outside a pod', () => {
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '');
    expect(() => connectionFromKubeconfig()).toThrow('give a kubeconfig file');
  });
});
