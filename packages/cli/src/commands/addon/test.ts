import type { BundleContent, JsonObject, Manifest } from '@shoto/bundle';
import { fits } from '@shoto/bundle';
import { connectionFromKubeconfig, KubeClient } from '@shoto/kube';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { apply, applyAll, Kinds, namespacesOf, onSimulated, type Verdict } from './api.ts';
import { mapping, type RenderOptions, readBundle, versionsOf, withRenderOptions } from './bundle.ts';
import { rendered } from './render.ts';

interface Options extends RenderOptions {
  kubeconfig?: string;
  context?: string;
  output?: string;
}

/** What came of one Kubernetes version. */
interface Result {
  kubernetes: string;
  on: string;
  objects: number;
  problems: string[];
  notes: string[];
}

const problemsOf = (verdicts: Verdict[]): string[] =>
  verdicts.filter((v) => v.result !== 'taken').map((v) => `${v.object}: ${v.message}`);

/** Applies what a version becomes to a simulated API server. */
async function simulated(
  bundle: BundleContent,
  version: string,
  o: { values: JsonObject; facts: JsonObject },
): Promise<Result> {
  const { objects } = await rendered(bundle, { ...o, kubernetesVersion: version });
  const verdicts = await onSimulated(version, (client) => applyAll(client, objects));
  const depends = bundle.manifest.dependsOn.length > 0;
  // Kinds that another addon brings are not there.
  const unserved = verdicts.filter((v) => depends && v.result === 'unserved');
  return {
    kubernetes: version,
    on: 'a simulated API server',
    objects: objects.length,
    problems: problemsOf(verdicts.filter((v) => !unserved.includes(v))),
    notes: unserved.map((v) => `${v.object}: ${v.message}; left out, it may come with what this addon depends on`),
  };
}

/**
 * Asks a cluster what would come of a bundle; nothing is changed there. A dry run makes no namespace and no kind: objects of a namespace that is
 * to come are asked for in `default`, those of a kind that is to come are applied, with their CRD, to a simulated API server.
 */
async function onCluster(
  bundle: BundleContent,
  client: KubeClient,
  o: { values: JsonObject; facts: JsonObject },
): Promise<Result> {
  const version = (JSON.parse((await client.raw('GET', '/version')).body) as { gitVersion: string }).gitVersion;
  if (!fits(bundle.manifest.kubernetes, version))
    throw new CliError(
      EXIT.invalid,
      `the cluster has Kubernetes ${version}, which is not in ${bundle.manifest.kubernetes}`,
    );
  const { objects } = await rendered(bundle, { ...o, kubernetesVersion: version });
  const kinds = new Kinds(client);
  const namespaces = await namespacesOf(client);
  const problems: string[] = [];
  const notes: string[] = [];
  const later: Manifest[] = [];
  for (const object of objects) {
    const { namespace } = object.metadata;
    const isToCome = namespace !== undefined && !namespaces.has(namespace);
    const asked = isToCome ? { ...object, metadata: { ...object.metadata, namespace: 'default' } } : object;
    const verdict = await apply(client, kinds, asked, true);
    if (verdict.result === 'unserved') later.push(object);
    else problems.push(...problemsOf([verdict]));
  }
  if (later.length > 0) {
    const needed = objects.filter((x) => x.kind === 'CustomResourceDefinition' || x.kind === 'Namespace');
    const verdicts = await onSimulated(version, (simulator) => applyAll(simulator, [...needed, ...later]));
    for (const v of verdicts.slice(needed.length))
      if (v.result === 'taken')
        notes.push(`${v.object}: its kind comes with the bundle; it was tried on a simulated API server`);
      else if (v.result === 'unserved' && bundle.manifest.dependsOn.length > 0)
        notes.push(`${v.object}: ${v.message}; left out, it may come with what this addon depends on`);
      else problems.push(...problemsOf([v]));
  }
  return { kubernetes: version, on: 'the cluster, as a dry run', objects: objects.length, problems, notes };
}

/** `shoto addon test`. */
export function testCommand(addon: Command, c: Context): void {
  withRenderOptions(
    addon
      .command('test')
      .description(
        'render a bundle for every Kubernetes of its range that is known, and let an API server judge the objects',
      )
      .argument('<folder>', 'the bundle')
      .option('--kubeconfig <file>', 'ask this cluster by server-side dry run, for its own version alone')
      .option('--context <name>', 'context of the kubeconfig'),
  )
    .option('-o, --output <form>', 'json')
    .addHelpText(
      'after',
      `
Ends with 1 where an object is refused.

Examples:
  shoto addon test hello
  shoto addon test hello --values values.yaml --kubeconfig kubeconfig`,
    )
    .action(async (folder: string, o: Options) => {
      if (o.output !== undefined && o.output !== 'json') throw new CliError(EXIT.usage, `-o ${o.output}: choose json`);
      const bundle = await readBundle(c, folder);
      const input = { values: mapping(c, o.values), facts: mapping(c, o.facts) };
      const results: Result[] = [];
      const say = (r: Result): void => {
        results.push(r);
        if (o.output) return;
        const verdict = r.problems.length === 0 ? 'all taken' : `${r.problems.length} refused`;
        c.out.write(`Kubernetes ${r.kubernetes}: ${r.objects} objects on ${r.on}: ${verdict}\n`);
        for (const p of r.problems) c.out.write(`  ${p}\n`);
        for (const n of r.notes) c.out.write(`  note: ${n}\n`);
      };
      if (o.kubeconfig !== undefined) {
        const connection = connectionFromKubeconfig({
          text: c.read(o.kubeconfig),
          ...(o.context ? { context: o.context } : {}),
        });
        const client = new KubeClient({ connection, userAgent: 'shoto' });
        try {
          say(await onCluster(bundle, client, input));
        } finally {
          await client.close();
        }
      } else {
        const versions = await versionsOf(bundle);
        if (versions.length === 0)
          throw new CliError(
            EXIT.failed,
            `no Kubernetes that is known here is in ${bundle.manifest.kubernetes}: mend the range, or use --kubeconfig`,
          );
        for (const version of versions) say(await simulated(bundle, version, input));
      }
      if (o.output) c.out.write(`${JSON.stringify({ results }, null, 2)}\n`);
      if (results.some((r) => r.problems.length > 0))
        throw new CliError(EXIT.failed, `${folder} does not go through everywhere`);
    });
}
