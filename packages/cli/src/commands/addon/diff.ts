import { ADDON_LABEL, type BundleContent, identityOf, type JsonObject, type Manifest } from '@shoto/bundle';
import { connectionFromKubeconfig, KubeClient, type KubeObject } from '@shoto/kube';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { apply, Kinds, namespacesOf } from './api.ts';
import { mapping, type RenderOptions, readBundle, versionMeant, withRenderOptions } from './bundle.ts';
import { type Change, changeOf, changeText } from './changes.ts';
import { type RegistryOptions, withRegistryOptions } from './registry.ts';
import { rendered } from './render.ts';

interface Options extends RenderOptions, RegistryOptions {
  against?: string;
  kubeconfig?: string;
  context?: string;
  kubernetes?: string;
  output?: string;
  exitCode?: boolean;
}
interface Input {
  values: JsonObject;
  facts: JsonObject;
}

async function againstVersion(
  bundle: BundleContent,
  other: BundleContent,
  o: Input,
  kubernetesVersion: string,
): Promise<Change[]> {
  const before = (await rendered(other, { ...o, kubernetesVersion })).objects;
  const after = (await rendered(bundle, { ...o, kubernetesVersion })).objects;
  const byIdentity = (objects: readonly Manifest[]) => new Map(objects.map((x) => [identityOf(x), x]));
  const [was, is] = [byIdentity(before), byIdentity(after)];
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((id) => changeOf(was.get(id), is.get(id)) ?? []);
}

/** What applying would change on a cluster; nothing is changed. Objects that the addon has there and the bundle has not are removed ones. */
async function againstCluster(bundle: BundleContent, client: KubeClient, o: Input): Promise<Change[]> {
  const { gitVersion } = JSON.parse((await client.raw('GET', '/version')).body) as { gitVersion: string };
  const { objects } = await rendered(bundle, { ...o, kubernetesVersion: gitVersion });
  const kinds = new Kinds(client);
  const namespaces = await namespacesOf(client);
  const changes: Change[] = [];
  for (const object of objects) {
    const type = await kinds.of(object);
    const { namespace } = object.metadata;
    const live =
      type && (namespace === undefined || namespaces.has(namespace))
        ? await client.get<KubeObject>(type, object.metadata)
        : undefined;
    if (!live) {
      changes.push(changeOf(undefined, object)!);
      continue;
    }
    const verdict = await apply(client, kinds, object, true);
    if (verdict.result !== 'taken') throw new CliError(EXIT.failed, `${verdict.object}: ${verdict.message}`);
    const change = changeOf(live, verdict.applied);
    if (change) changes.push(change);
  }
  const wanted = new Set(objects.map(identityOf));
  for (const key of new Set(objects.map((x) => `${x.apiVersion} ${x.kind}`))) {
    const [apiVersion = '', kind = ''] = key.split(' ');
    const type = await kinds.of({ apiVersion, kind });
    if (!type) continue;
    for (const item of await client.listAll<KubeObject>(type, {
      labelSelector: `${ADDON_LABEL}=${bundle.manifest.name}`,
    })) {
      const there = { ...item, apiVersion, kind } as Manifest;
      if (!wanted.has(identityOf(there))) changes.push(changeOf(there, undefined)!);
    }
  }
  return changes;
}

/** `shoto addon diff`. */
export function diffCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    withRenderOptions(
      addon
        .command('diff')
        .description('show what a bundle would change: on a cluster, or against another version of it')
        .argument('<folder>', 'the bundle')
        .option('--against <bundle>', 'another version of it, in a folder or a registry')
        .option('--kubeconfig <file>', 'a cluster: asked by server-side dry run')
        .option('--context <name>', 'context of the kubeconfig')
        .option(
          '--kubernetes <version>',
          'with --against: for this version; default: the newest known one of its range',
        ),
    ),
  )
    .option('--exit-code', 'end with 1 where there is a difference')
    .option('-o, --output <form>', 'json')
    .addHelpText(
      'after',
      `
Contents of Secrets are not shown. Of a cluster, give its facts: sample ones would differ.

Examples:
  shoto addon diff addons/hello/0.2.0 --against oci://registry.example.com/addons/hello:0.1.0
  shoto addon diff hello --kubeconfig kubeconfig --facts facts.yaml`,
    )
    .action(async (folder: string, o: Options) => {
      if (o.output !== undefined && o.output !== 'json') throw new CliError(EXIT.usage, `-o ${o.output}: choose json`);
      if ((o.against === undefined) === (o.kubeconfig === undefined))
        throw new CliError(EXIT.usage, 'give --against or --kubeconfig');
      const bundle = await readBundle(c, folder);
      const input = { values: mapping(c, o.values), facts: mapping(c, o.facts) };
      let changes: Change[];
      if (o.kubeconfig === undefined) {
        const version = await versionMeant(bundle, o.kubernetes);
        changes = await againstVersion(bundle, await readBundle(c, o.against!, o), input, version);
      } else {
        const connection = connectionFromKubeconfig({
          text: c.read(o.kubeconfig),
          ...(o.context ? { context: o.context } : {}),
        });
        const client = new KubeClient({ connection, userAgent: 'shoto' });
        try {
          changes = await againstCluster(bundle, client, input);
        } finally {
          await client.close();
        }
      }
      if (o.output) c.out.write(`${JSON.stringify({ changes }, null, 2)}\n`);
      else {
        for (const change of changes) c.out.write(`${changeText(change)}\n`);
        if (changes.length === 0) c.out.write('no difference\n');
      }
      if (o.exitCode && changes.length > 0) throw new CliError(EXIT.failed, `${changes.length} objects differ`);
    });
}
