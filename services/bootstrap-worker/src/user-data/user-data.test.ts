import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createAuthority } from '@shoto/pki';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { issueTicket } from '../check-in/ticket.ts';
import { USER_DATA_MAX_BYTES, userData } from './user-data.ts';

interface CloudConfig {
  write_files: { path: string; permissions: string; content: string; encoding?: string }[];
  runcmd: string[][];
}
const ticket = issueTicket(randomBytes(32), 'machine-uid', 'cluster-uid');
let text = '';
let config: CloudConfig;
let caCertificate = '';
beforeAll(async () => {
  caCertificate = (await createAuthority('Shoto check-in')).certificate;
  text = userData({ url: 'https://172.24.4.1:9443', caCertificate, ticket });
  config = parse(text);
});
const file = (path: string) => config.write_files.find((f) => f.path === path);

describe('user-data', () => {
  it('is a cloud-config that writes the check-in file, readable by root only, the program and its unit, and starts it', () => {
    expect(text.startsWith('#cloud-config\n')).toBe(true);
    expect(file('/etc/shoto/check-in.json')?.permissions).toBe('0600');
    expect(JSON.parse(file('/etc/shoto/check-in.json')?.content ?? '')).toEqual({
      version: 1,
      url: 'https://172.24.4.1:9443',
      caCertificate,
      ticket,
    });
    const program = file('/usr/local/sbin/shoto-machine');
    expect(program).toMatchObject({ permissions: '0755', encoding: 'gz+b64' });
    const source = readFileSync(new URL('../../agent/shoto-machine.py', import.meta.url), 'utf8');
    expect(gunzipSync(Buffer.from(program?.content ?? '', 'base64')).toString()).toBe(source);
    expect(file('/etc/systemd/system/shoto-machine.service')?.content).toContain(
      'ExecStart=/usr/local/sbin/shoto-machine\n',
    );
    expect(config.runcmd).toEqual([['/usr/local/sbin/shoto-machine', '--enable']]);
  });

  it('holds no secret but the ticket', () => {
    const rest = text
      .replace(ticket, '')
      .replace(JSON.stringify(caCertificate).slice(1, -1), '')
      .replace(file('/usr/local/sbin/shoto-machine')?.content ?? '', '');
    const program = readFileSync(new URL('../../agent/shoto-machine.py', import.meta.url), 'utf8');
    for (const part of [rest, program]) {
      expect(part).not.toMatch(/BEGIN [A-Z ]*PRIVATE KEY-----\\?n/);
      expect(part).not.toMatch(/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/);
      expect(part).not.toMatch(/eyJ[\w-]{8,}\.[\w-]+/);
      expect(part).not.toMatch(/[A-Za-z0-9+/_]{64,}/);
    }
  });

  it('is the same each time, and fits into what OpenStack takes', () => {
    expect(userData({ url: 'https://172.24.4.1:9443', caCertificate, ticket })).toBe(text);
    expect(Buffer.byteLength(text)).toBeLessThan(16_384);
    expect(USER_DATA_MAX_BYTES).toBeGreaterThan(16_384);
  });
});
