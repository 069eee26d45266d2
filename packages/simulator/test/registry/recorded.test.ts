import { afterEach, describe, expect, it } from 'vitest';
import { createRegistry, type Registry } from '../../src/registry/index.ts';
import { replay } from './exchanges.ts';
import recorded from './recorded.json' with { type: 'json' };
import { ALICE, commonStory, usersStory } from './stories.ts';

let registry: Registry | undefined;
afterEach(() => registry?.close());

async function start(o: Parameters<typeof createRegistry>[0]): Promise<string> {
  // distribution/distribution does not serve referrers.
  registry = await createRegistry({ referrers: false, ...o });
  return (await registry.listen('127.0.0.1', 0)).url;
}

// recorded.json is what distribution/distribution 3.1.2 answered; `make test-real` asks it again.
describe('the simulated registry answers as the real one', () => {
  it('to who pushes, pulls, lists and deletes', async () => {
    const answers = await replay(await start({}), commonStory);
    expect(answers.length).toBeGreaterThan(100);
    for (const [i, expected] of recorded.common.entries()) expect(answers[i]).toEqual(expected);
    expect(answers).toHaveLength(recorded.common.length);
  });

  it('to users and strangers', async () => {
    expect(await replay(await start({ users: [ALICE] }), usersStory)).toEqual(recorded.users);
  });
});
