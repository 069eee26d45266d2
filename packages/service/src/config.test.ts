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
