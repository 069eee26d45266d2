import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundleOf } from '../format/content.ts';
import { helmTemplate } from './helm.ts';
import { render } from './render.ts';

const MANIFEST = `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: agent
version: 1.0.0
kubernetes: ">=1.35"
namespace: agents
content: { helm: { chart: chart, values: { cidr: "{{facts.podCIDR}}" } } }
patches: [{ target: { kind: ConfigMap }, merge: { data: { patched: "yes" } } }]
`;
const bundle = () =>
  bundleOf([
    ['bundle.yaml', MANIFEST],
    ['chart/Chart.yaml', 'apiVersion: v2\nname: agent\nversion: 1.0.0\n'],
    ['chart/values.yaml', 'replicas: 1\n'],
    ['chart/templates/a.yaml', '{{ .Values.replicas }}'],
  ]);
const INPUT = {
  facts: { podCIDR: '10.0.0.0/16' },
  values: { token: 'hunter2-is-secret' },
  kubernetesVersion: 'v1.35.4',
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'helm-test-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  return rm(dir, { recursive: true });
});

/** A program in Helm's place. */
const fake = async (script: string): Promise<string> => {
  const file = join(dir, 'helm');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
};
const run = async (script: string, o: { timeoutMs?: number; maxOutput?: number } = {}, input: object = {}) =>
  render(bundle(), { ...INPUT, ...input }, { helm: helmTemplate({ binary: await fake(script), ...o }) });

describe('a chart', () => {
  it('is rendered by Helm from the bundle’s files, with its values, for the version, without anything of the user’s', async () => {
    const { objects } = await run(
      `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: { name: seen }\\ndata:\\n  args: "'; printf '%s ' "$@" | sed "s|$HOME|DIR|g"; printf '"\\n  values: |-\n    '; cat "$HOME/values.json"; printf '\\n  files: "'; cd "$HOME" && find chart -type f | sort | tr '\\n' ' '; printf '"\\n  env: "%s %s"\\n' "$KUBECONFIG" "$HELM_PLUGINS" | sed "s|$HOME|DIR|g"`,
      {},
      { apiVersions: ['monitoring.coreos.com/v1', 'policy/v1'] },
    );
    const [namespace, seen] = objects;
    expect(namespace!.metadata.name).toBe('agents');
    expect(seen!.metadata.namespace).toBe('agents');
    expect(seen!.data).toEqual({
      args: 'template agent DIR/chart --namespace agents --include-crds --skip-tests --kube-version v1.35.4 --values DIR/values.json --api-versions monitoring.coreos.com/v1 --api-versions policy/v1 ',
      values: '{"replicas":1,"token":"hunter2-is-secret","cidr":"10.0.0.0/16"}',
      files: 'chart/Chart.yaml chart/templates/a.yaml chart/values.yaml ',
      env: 'DIR/no-kubeconfig DIR/plugins',
      patched: 'yes',
    });
  });

  it('may have braces of its own in what it gives', async () => {
    const { objects } = await run(
      `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: { name: a }\\ndata: { a: "{{facts.podCIDR}}" }\\n'`,
    );
    expect(objects[1]!.data).toMatchObject({ a: '{{facts.podCIDR}}' });
  });

  it('leaves nothing behind', async () => {
    vi.stubEnv('TMPDIR', dir);
    await expect(run('touch "$HOME/here"; exit 1')).rejects.toThrow();
    await expect(run('exit 0')).rejects.toThrow('there is no ConfigMap');
    expect(await readdir(dir)).toEqual(['helm']);
  });

  it('that Helm cannot render is refused with what Helm says, without the values', async () => {
    await expect(
      run('echo "Error: chart/templates/a.yaml:3: token hunter2-is-secret is bad" >&2; exit 1'),
    ).rejects.toMatchObject({
      reason: 'HelmFailed',
      message: 'chart: Error: chart/templates/a.yaml:3: token *** is bad',
    });
  });

  it('needs Helm', async () => {
    const binary = join(dir, 'nowhere');
    await expect(render(bundle(), INPUT, { helm: helmTemplate({ binary }) })).rejects.toMatchObject({
      reason: 'HelmMissing',
      message: `chart: the program ${binary} cannot be started (ENOENT): install Helm 3, or say where it is with HELM`,
    });
    await expect(render(bundle(), INPUT)).rejects.toMatchObject({ reason: 'HelmMissing' });
  });

  it('ends after its time, and at its size', async () => {
    await expect(run('exec sleep 60', { timeoutMs: 100 })).rejects.toThrow('helm took longer than 0.1 s');
    await expect(run('exec yes', { maxOutput: 100_000 })).rejects.toThrow('the chart gives more than 98 KiB');
  });

  it('that gives no objects is refused with the number of the document', async () => {
    await expect(run(`printf -- '---\\napiVersion: v1\\nkind: ConfigMap\\n'`)).rejects.toThrow(
      'chart (rendered), document 1: metadata: required: give an object',
    );
  });

  it('must be there', async () => {
    const empty = bundleOf([['bundle.yaml', MANIFEST]]);
    await expect(render(empty, INPUT, { helm: helmTemplate({ binary: 'true' }) })).rejects.toThrow(
      'chart/Chart.yaml: is not there: the content is no Helm chart',
    );
  });
});
