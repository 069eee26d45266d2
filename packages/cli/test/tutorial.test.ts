import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createRegistry } from '@shoto/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = await readFile(join(root, 'docs/addon-tutorial.md'), 'utf8');
/** Blocks of commands. `setup` is what this test does itself; `later` needs a cluster; `fails` must. */
const blocks = [...page.matchAll(/^```sh ?(\w*)\n([\s\S]*?)^```$/gm)].map(([, how, text]) => ({
  how: how!,
  text: text!,
}));

describe('the tutorial for addon authors', () => {
  let dir: string;
  let env: NodeJS.ProcessEnv;
  let registry: Awaited<ReturnType<typeof createRegistry>>;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'shoto-tutorial-'));
    await mkdir(join(dir, 'bin'));
    const command = join(dir, 'bin/shoto');
    await writeFile(
      command,
      `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'packages/cli/src/main.ts')}" "$@"\n`,
    );
    await chmod(command, 0o755);
    registry = await createRegistry();
    const { url } = await registry.listen('127.0.0.1', 0);
    env = {
      PATH: `${join(dir, 'bin')}:${process.env.PATH}`,
      HOME: dir,
      SHOTO_ADDON_REGISTRY: `${url.replace('http:', 'oci:')}/addons`,
    };
  });
  afterAll(async () => {
    await registry.close();
    await rm(dir, { recursive: true });
  });

  const work = blocks.filter((b) => b.how === '' || b.how === 'fails');
  it('has commands', () => expect(work.length).toBeGreaterThan(12));

  // One after the other, as a reader does. What is exported stays.
  it.each(work.map((b, i) => [b.text.trim().split('\n')[0]!, i] as const))(
    '%s',
    async (_first, i) => {
      const { how, text } = work[i]!;
      const script = `set -eu\n[ ! -e .env ] || . ./.env\n${text}\nexport -p | grep COSIGN > .env || true\n`;
      const run = promisify(execFile)('bash', ['-c', script], { cwd: dir, env });
      // Refused by shoto, and not for a command that is not there.
      if (how === 'fails') await expect(run).rejects.toMatchObject({ stderr: expect.stringMatching(/^shoto: /m) });
      else await run;
    },
    120_000,
  );

  it('ends with two versions in the registry, both signed', async () => {
    const url = `${env.SHOTO_ADDON_REGISTRY!.replace('oci:', 'http:').replace('/addons', '/v2/addons')}/hello/tags/list`;
    const { tags } = (await (await fetch(url)).json()) as { tags: string[] };
    expect(tags.filter((t) => !t.endsWith('.sig'))).toEqual(['0.1.0', '0.2.0']);
    expect(tags.filter((t) => t.endsWith('.sig'))).toHaveLength(2);
  });
});
