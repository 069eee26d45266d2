import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTeam, type World } from './world.ts';

let w: World;
beforeEach(async () => {
  w = await startTeam();
});
afterEach(() => w.close());

describe('completion', () => {
  const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;
  const script = async (shell: string) => (await w.shoto(['completion', shell])).out;

  it.each<[string, string[]]>([
    [
      'shoto ""',
      [
        'create',
        'get',
        'describe',
        'delete',
        'wait',
        'scale',
        'upgrade',
        'keep',
        'fleet',
        'kubeconfig',
        'events',
        'completion',
        'version',
        '--server',
      ],
    ],
    ['shoto get ""', ['clusters', 'machines', 'regions']],
    ['shoto create cluster --po', ['--pool', '--pod-cidr']],
    ['shoto delete cluster ""', ['web', 'api']],
    ['shoto delete cluster w', ['web']],
    ['shoto delete pool ""', ['web', 'api']],
    ['shoto describe ""', ['cluster', 'addon', 'template']],
    ['shoto describe addon ""', ['web', 'api']],
    ['shoto describe template ""', ['standard', 'default']],
    ['shoto get template st', ['standard']],
    ['shoto scale ""', ['web', 'api']],
    ['shoto upgrade cluster ""', ['web', 'api']],
    ['shoto upgrade cluster web --', ['--to', '--dry-run', '--pool']],
    ['shoto create ""', ['cluster', 'pool']],
    ['shoto set pool web default --max', ['--max-surge', '--max-unavailable']],
    ['shoto fleet ""', ['stop', 'resume', 'status']],
    ['shoto wait cluster web --f', ['--for']],
    ['shoto kubeconfig a', ['api']],
    ['shoto --tenant blue get cl', ['clusters']],
    ['shoto get machines --cluster web -', ['--output', '--selector']],
    ['shoto create cluster web --', ['--pool', '--dry-run']],
  ])('bash: %s', async (line, words) => {
    const dir = mkdtempSync(join(tmpdir(), 'shoto-completion-'));
    try {
      writeFileSync(
        join(dir, 'shoto'),
        '#!/bin/sh\n[ "$*" = "get clusters -o name" ] && printf "cluster/web\\ncluster/api\\n"\n' +
          '[ "$*" = "get templates -o name" ] && printf "template/default\\ntemplate/standard\\n"\n',
      );
      chmodSync(join(dir, 'shoto'), 0o755);
      const ask = `${await script('bash')}
COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _shoto; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const out = execFileSync('bash', ['--norc', '--noprofile', '-c', ask], {
        env: { PATH: `${dir}:${process.env.PATH}`, SHLVL: '1' },
        encoding: 'utf8',
      });
      expect(out.split('\n')).toEqual(expect.arrayContaining(words));
      expect(out.split('\n')).not.toContain('cluster/web');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it.each(['zsh', 'fish'])('%s can read its script', async (shell) => {
    const text = await script(shell);
    expect(text).toContain('kubeconfig');
    if (has(shell)) expect(spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' }).stderr).toBe('');
  });

  it('names the shells where it does not know one', async () => {
    expect((await w.shoto(['completion', 'tcsh'])).err).toContain('choose bash, zsh or fish');
  });
});
