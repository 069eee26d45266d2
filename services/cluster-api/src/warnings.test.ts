import { describe, expect, it } from 'vitest';
import { warningHeaders, warningsOf } from './warnings.ts';

describe('values of addons', () => {
  it('that look like secrets in clear are warned of by their path, without the value', () => {
    const warnings = warningsOf({
      addons: [
        { name: 'flannel' },
        { name: 'grafana', values: { admin: { password: 'hunter2', user: 'admin' }, existingSecret: 'grafana' } },
      ],
    });
    expect(warnings).toEqual([
      'spec.addons[1].values.admin.password: looks like a secret in clear: put it in a Secret and name that in valuesFrom',
    ]);
    expect(JSON.stringify(warnings)).not.toContain('hunter2');
  });
  it('are said sixteen times at most', () => {
    const values = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`a${i}`, { token: 'x' }]));
    expect(warningsOf({ addons: [{ name: 'a', values }] })).toHaveLength(16);
  });
});

it('a warning is a header, whatever stands in it', () => {
  expect(warningHeaders(['a "b" \\ ü\r\nx'])).toEqual(['299 - "a \\"b\\" \\\\ ???x"']);
});
