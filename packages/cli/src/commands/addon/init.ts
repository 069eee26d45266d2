import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';

interface Options {
  name?: string;
  addonVersion: string;
  kubernetes: string;
}

/** The files of a bundle that does nothing, and has everything in its place. */
function skeleton(name: string, version: string, kubernetes: string): Record<string, string> {
  return {
    'bundle.yaml': `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: ${name}
version: ${version}
kubernetes: "${kubernetes}"
description: What ${name} is for, in a line
license: Apache-2.0
namespace: ${name}
content: { manifests: manifests }
health:
  checks:
    - { apiVersion: apps/v1, kind: Deployment, namespace: ${name}, name: ${name} }
images:
  - { name: "{{facts.imageRepository}}/pause", tag: "3.10.1" }
`,
    'values.schema.json': `${JSON.stringify(
      {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        additionalProperties: false,
        properties: {
          replicas: { type: 'integer', minimum: 0, maximum: 16, default: 1, description: 'How many pods.' },
        },
      },
      null,
      2,
    )}\n`,
    [`manifests/10-${name}.yaml`]: `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: { app.kubernetes.io/name: ${name} }
spec:
  replicas: "{{values.replicas}}"
  selector:
    matchLabels: { app.kubernetes.io/name: ${name} }
  template:
    metadata:
      labels: { app.kubernetes.io/name: ${name} }
    spec:
      containers:
        - name: ${name}
          image: "{{facts.imageRepository}}/pause:3.10.1"
          resources:
            requests: { cpu: 10m, memory: 16Mi }
            limits: { memory: 32Mi }
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            runAsUser: 65535
            capabilities: { drop: [ALL] }
`,
    [`alerts/${name}.yaml`]: `groups:
  - name: ${name}
    rules:
      - alert: ${name.replace(/(^|-)([a-z])/g, (_m, _d, letter: string) => letter.toUpperCase())}Down
        expr: kube_deployment_status_replicas_available{namespace="${name}", deployment="${name}"} == 0
        for: 10m
        labels: { severity: warning }
        annotations: { summary: "No pod of ${name} is available" }
`,
    'README.md': `# ${name}\n\nWhat it does, what it needs, which values it takes.\n`,
  };
}

/** `shoto addon init`. */
export function initCommand(addon: Command, c: Context): void {
  addon
    .command('init')
    .description('begin a bundle: a folder with all that one needs, and a Deployment to put yours in the place of')
    .argument('<folder>', 'where; made where it is not there')
    .option('--name <name>', 'name of the addon; default: that of the folder, or of the one around a version')
    .option('--addon-version <version>', 'its first version', '0.1.0')
    .option('--kubernetes <range>', 'Kubernetes versions that it fits', '>=1.35 <1.37')
    .addHelpText(
      'after',
      '\nExamples:\n  shoto addon init hello\n  shoto addon init addons/hello/0.1.0 --kubernetes ">=1.35 <1.38"',
    )
    .action(async (folder: string, o: Options) => {
      const dir = resolve(folder);
      const last = basename(dir);
      const name = o.name ?? (/^\d+\.\d+\.\d+/.test(last) ? basename(dirname(dir)) : last);
      if (!/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name))
        throw new CliError(EXIT.usage, `--name ${name}: write lower-case letters, digits and dashes, at most 40`);
      await mkdir(dir, { recursive: true });
      if ((await readdir(dir)).length > 0) throw new CliError(EXIT.usage, `${folder} is not empty: name a new folder`);
      for (const [file, text] of Object.entries(skeleton(name, o.addonVersion, o.kubernetes))) {
        await mkdir(dirname(join(dir, file)), { recursive: true });
        await writeFile(join(dir, file), text);
      }
      c.out.write(`addon/${name} begun in ${folder}\nlook it over: shoto addon lint ${folder}\n`);
    });
}
