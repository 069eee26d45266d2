import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError, commonConfig, loadConfig } from './config.ts';

const schema = z.object({
  ...commonConfig,
  SHOTO_SWEEP_AFTER_HOURS: z.coerce.number().int().min(1).default(24),
  SHOTO_API_TOKEN: z.string().min(20),
});
const token = 'a-token-of-enough-characters';

function problems(env: Record<string, string>): string[] {
  try {
    loadConfig(schema, env, { service: 'provisioner' });
  } catch (e) {
    if (e instanceof ConfigError) return [...e.problems];
    throw e;
  }
  return [];
}

describe('the configuration of a service', () => {
  it('has defaults for a machine of a developer, and typed values', () => {
    const config = loadConfig(
      schema,
      { SHOTO_API_TOKEN: token, SHOTO_SWEEP_AFTER_HOURS: '3', SHOTO_REDIS_URL: '', PATH: '/bin' },
      { service: 'x' },
    );
    expect(config).toMatchObject({
      SHOTO_REDIS_URL: 'redis://127.0.0.1:6379/0',
      SHOTO_OPS_ADDRESS: { host: '127.0.0.1', port: 0 },
      SHOTO_SYSTEM_NAMESPACE: 'shoto-system',
      SHOTO_SWEEP_AFTER_HOURS: 3,
    });
    expect(config).not.toHaveProperty('PATH');
  });

  it('says all problems at once: variable, value, mend', () => {
    const found = problems({
      SHOTO_API_TOKEN: token,
      SHOTO_REDIS_URL: 'http://x',
      SHOTO_OPS_ADDRESS: 'localhost',
      SHOTO_SWEEP_AFTER_HOURS: '0',
    });
    expect(found).toHaveLength(3);
    expect(found[0]).toContain('SHOTO_REDIS_URL ("http://x")');
    expect(found[0]).toContain('Set it to redis://host:port/database');
    expect(found[1]).toContain('SHOTO_OPS_ADDRESS ("localhost"): must be host:port');
    expect(found[2]).toContain('SHOTO_SWEEP_AFTER_HOURS ("0")');
  });

  it.each<[string, Record<string, string>, string]>([
    ['not set', {}, 'SHOTO_API_TOKEN (not set): required, and not set'],
    ['empty, which counts as not set', { SHOTO_API_TOKEN: '' }, 'SHOTO_API_TOKEN (empty): required, and not set'],
  ])('says of a variable that must be there and is %s just that', (_what, env, text) => {
    expect(problems(env)).toEqual([text]);
  });

  it('says of a number, a choice and a group of rules what is required, with the mend', () => {
    const more = z
      .object({
        SHOTO_COUNT: z.coerce.number().int().describe('Set it to how many there are'),
        SHOTO_MODE: z.enum(['a', 'b']),
        SHOTO_CERT: z.string().optional(),
      })
      .check((c) => {
        c.issues.push({ code: 'custom', path: ['SHOTO_CERT'], message: 'goes with SHOTO_KEY', input: c.value });
      });
    const found = (env: Record<string, string>) => {
      try {
        return loadConfig(more, env, { service: 'x' });
      } catch (e) {
        return e instanceof ConfigError ? e.problems : e;
      }
    };
    expect(found({})).toEqual([
      'SHOTO_COUNT (not set): required, and not set. Set it to how many there are',
      'SHOTO_MODE (not set): required, and not set',
    ]);
    expect(found({ SHOTO_COUNT: '1', SHOTO_MODE: 'a' })).toEqual(['SHOTO_CERT (not set): goes with SHOTO_KEY']);
  });

  it('never shows a secret, nor the password of a URL', () => {
    const text = problems({ SHOTO_API_TOKEN: 'hunter2', SHOTO_REDIS_URL: 'http://user:hunter2@host' }).join('\n');
    expect(text).toContain('SHOTO_API_TOKEN (set (not shown))');
    expect(text).toContain('http://user:***@host');
    expect(text).not.toContain('hunter2');
  });

  it.each([
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
  ])('reads the address %s', (text, parsed) => {
    expect(
      loadConfig(schema, { SHOTO_API_TOKEN: token, SHOTO_OPS_ADDRESS: text }, { service: 'x' }).SHOTO_OPS_ADDRESS,
    ).toEqual(parsed);
  });

  it('refuses a port that does not exist', () => {
    expect(problems({ SHOTO_API_TOKEN: token, SHOTO_OPS_ADDRESS: 'host:70000' })[0]).toContain('at most 65535');
  });
});
