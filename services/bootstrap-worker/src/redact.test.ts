import { createKeyPair } from '@shoto/pki';
import { describe, expect, it } from 'vitest';
import { chunks } from './events.ts';
import { lastLines, redact } from './redact.ts';

describe('a log', () => {
  it('loses what looks like a secret, and keeps the rest', async () => {
    const { privateKey } = await createKeyPair();
    const secrets = [
      privateKey.trim(),
      'abcdef.0123456789abcdef',
      'a'.repeat(64),
      'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln',
      `${'Qk3'.repeat(30)}==`,
    ];
    const digest = `sha256:${'b'.repeat(64)}`;
    const text = redact(
      ['[init] Using Kubernetes version: v1.35.4', ...secrets, digest, 'password: hunter2hunter2'].join('\n'),
    );
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(text).not.toContain('hunter2');
    expect(text).toContain('Using Kubernetes version: v1.35.4');
    expect(text).toContain(digest);
  });

  it('loses its colours', () => {
    expect(redact('\u001b[0;37mCGROUPS_CPU\u001b[0m: \u001b[0;32menabled\u001b[0m')).toBe('CGROUPS_CPU: enabled');
  });

  it('is cut to its last lines', () => {
    const text = Array.from({ length: 100 }, (_, i) => `line ${i}`).join('\n');
    expect(lastLines(text).split('\n')).toHaveLength(40);
    expect(lastLines(text).endsWith('line 99')).toBe(true);
    expect(lastLines('x'.repeat(9000))).toHaveLength(4000);
  });

  it('is told in pieces that are broken between lines', () => {
    expect(chunks('aaa\nbbb\nccc', 7)).toEqual(['aaa\nbbb', 'ccc']);
    expect(chunks('aaaaaaaaaa', 4)).toEqual(['aaaa', 'aaaa', 'aa']);
    expect(chunks('')).toEqual([]);
    expect(chunks('aaaa\nbbbbbb\n\nc', 6).every((p) => p.length <= 6)).toBe(true);
  });
});
