import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readUserData } from './user-data.ts';

const file = {
  version: 1,
  url: 'https://127.0.0.1:8443',
  caCertificate: '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n',
  ticket: 'a-secret-ticket',
};
const cloudConfig = (entry: object): string =>
  `#cloud-config\n${stringify({
    write_files: [
      { path: '/etc/motd', content: 'hello' },
      { path: '/etc/shoto/check-in.json', ...entry },
    ],
  })}`;

describe('user-data', () => {
  it.each([
    ['plain', { content: JSON.stringify(file) }],
    ['in base64', { encoding: 'b64', content: Buffer.from(JSON.stringify(file)).toString('base64') }],
    ['packed', { encoding: 'gz+b64', content: gzipSync(JSON.stringify(file)).toString('base64') }],
  ])('tells where to check in, %s', (_title, entry) => {
    expect(readUserData(cloudConfig(entry))).toEqual({ kind: 'check-in', file });
  });

  it.each([
    ['none', ''],
    ['a script', '#!/bin/sh\necho hello\n'],
    ['a cloud-config without the file', '#cloud-config\npackages: [nginx]\n'],
    ['an empty cloud-config', '#cloud-config\n'],
  ])('boots a plain server: %s', (_title, text) => {
    expect(readUserData(text)).toEqual({ kind: 'plain' });
  });

  it.each([
    ['no YAML', '#cloud-config\n{', 'not YAML'],
    ['no JSON in the file', cloudConfig({ content: 'a-secret-ticket' }), 'not JSON'],
    ['an address without TLS', cloudConfig({ content: JSON.stringify({ ...file, url: 'http://127.0.0.1' }) }), 'url'],
  ])('says what is wrong and never the ticket: %s', (_title, text, words) => {
    const read = readUserData(text);
    expect(read).toMatchObject({ kind: 'broken', why: expect.stringContaining(words) });
    expect(JSON.stringify(read)).not.toContain('a-secret-ticket');
  });
});
