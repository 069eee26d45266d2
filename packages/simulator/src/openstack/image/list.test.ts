import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, startLab } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());

const found = async (query: string): Promise<number> =>
  ((await lab.user('GET', `/image/v2/images?${query}`)).body.images as unknown[]).length;

it('finds images by the time at which they were made', async () => {
  const all = await found('');
  expect(await found('created_at=gte:2014-01-01T01:01:01Z')).toBe(all);
  expect(await found('created_at=lt:2014-01-01T01:01:01Z')).toBe(0);
  expect((await lab.user('GET', '/image/v2/images?created_at=near:noon')).status).toBe(400);
});
