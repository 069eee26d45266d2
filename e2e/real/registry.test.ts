import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replay, type Told } from '../../packages/simulator/test/registry/exchanges.ts';
import recorded from '../../packages/simulator/test/registry/recorded.json' with { type: 'json' };
import { commonStory, usersStory } from '../../packages/simulator/test/registry/stories.ts';
import { type LabRegistry, startLabRegistry } from '../lab/registry.ts';

// The simulated registry is held to these recorded answers in `make test`: a registry that answers otherwise shows here.
describe('a real registry answers as it did when it was recorded', () => {
  let open: LabRegistry;
  let guarded: LabRegistry;
  beforeAll(async () => {
    open = await startLabRegistry({ build: true });
    guarded = await startLabRegistry({ users: true });
  });
  afterAll(async () => {
    await open.stop();
    await guarded.stop();
  });
  const same = (answers: Told[], expected: unknown[]) => {
    for (const [i, e] of expected.entries()) expect(answers[i]).toEqual(e);
    expect(answers).toHaveLength(expected.length);
  };

  it('to who pushes, pulls, lists and deletes', async () => {
    same(await replay(open.url, commonStory), recorded.common);
  });

  it('to users and strangers', async () => {
    same(await replay(guarded.url, usersStory), recorded.users);
  });
});
