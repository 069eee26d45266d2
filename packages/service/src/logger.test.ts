import { expect, it } from 'vitest';
import { createLogger } from './logger.ts';

it('writes one JSON object a line, with service, level, time and cluster, and hides known secret fields', () => {
  const lines: string[] = [];
  const log = createLogger({
    service: 'provisioner',
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
  });
  const child = log.child({ cluster: 'tenant-a/web' });
  child.info(
    { machine: 'm1', token: 'hunter2', answer: { headers: { authorization: 'hunter2', 'x-auth-token': 'hunter2' } } },
    'server created',
  );
  child.debug('not written');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    service: 'provisioner',
    level: 'info',
    cluster: 'tenant-a/web',
    machine: 'm1',
    token: '[redacted]',
    msg: 'server created',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  });
  expect(lines[0]).not.toContain('hunter2');
});
