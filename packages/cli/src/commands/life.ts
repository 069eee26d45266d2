import type { Command } from 'commander';
import { type Context, duration, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { follow, ProgressView } from '../progress.ts';

const cluster = (kind: string): void => {
  if (!['cluster', 'clusters', 'scl'].includes(kind))
    throw new CliError(EXIT.usage, `this works on clusters, not on ${JSON.stringify(kind)}`);
};

/** `shoto delete cluster`, `shoto wait`, `shoto kubeconfig`. @param remove - the command `delete` */
export function lifeCommands(program: Command, remove: Command, c: Context): void {
  remove
    .command('cluster')
    .aliases(['clusters', 'scl'])
    .description('delete a cluster and everything that it has in the cloud')
    .argument('<name>', 'its name')
    .option('--no-wait', 'do not wait until it is gone')
    .option('--dry-run', 'only check that it could be deleted')
    .option('--timeout <time>', 'how long to wait; 0 for ever', '30m')
    .option('--ignore-not-found', 'it is no error where there is none')
    .addHelpText('after', '\nExample:\n  shoto delete cluster web')
    .action(
      async (
        name: string,
        o: { wait: boolean; dryRun?: boolean; timeout: string; ignoreNotFound?: boolean },
        command: Command,
      ) => {
        const s = sessionOf(c, command);
        const timeoutMs = duration(o.timeout);
        try {
          await s.api.call('DELETE', `${s.clusters(name)}${o.dryRun ? '?dryRun=true' : ''}`);
        } catch (e) {
          if (o.ignoreNotFound && e instanceof CliError && e.exitCode === EXIT.notFound) return;
          throw e;
        }
        if (o.dryRun) return c.out.write(`cluster/${name} would be deleted (dry run)\n`);
        c.out.write(`cluster/${name} is being deleted\n`);
        if (!o.wait) return;
        await follow(s.api, s.clusters(name), 'deleted', new ProgressView(c.out, c.now), timeoutMs);
        c.out.write(`cluster/${name} deleted\n`);
      },
    );

  program
    .command('wait')
    .description('wait until a cluster is ready, or deleted')
    .argument('<kind>', 'cluster')
    .argument('<name>', 'its name')
    .option('--for <goal>', 'ready or deleted', 'ready')
    .option('--timeout <time>', 'how long to wait; 0 for ever', '30m')
    .addHelpText('after', '\nExamples:\n  shoto wait cluster web\n  shoto wait cluster web --for deleted --timeout 10m')
    .action(async (kind: string, name: string, o: { for: string; timeout: string }, command: Command) => {
      cluster(kind);
      if (o.for !== 'ready' && o.for !== 'deleted')
        throw new CliError(EXIT.usage, `--for ${o.for}: choose ready or deleted`);
      const s = sessionOf(c, command);
      await follow(s.api, s.clusters(name), o.for, new ProgressView(c.out, c.now), duration(o.timeout));
      c.out.write(`cluster/${name} ${o.for}\n`);
    });

  program
    .command('kubeconfig')
    .description('print a kubeconfig for a cluster; it is yours, and good for an hour')
    .argument('<cluster>', 'name of the cluster')
    .option('--for <time>', 'how long it is good for, at most 24h', '1h')
    .addHelpText(
      'after',
      '\nExample:\n  shoto kubeconfig web > web.kubeconfig\n  KUBECONFIG=web.kubeconfig kubectl get nodes',
    )
    .action(async (name: string, o: { for: string }, command: Command) => {
      const s = sessionOf(c, command);
      const { kubeconfig } = await s.api.call<{ kubeconfig: string }>('POST', `${s.clusters(name)}/kubeconfig`, {
        seconds: Math.round(duration(o.for) / 1000),
      });
      c.out.write(kubeconfig.endsWith('\n') ? kubeconfig : `${kubeconfig}\n`);
    });
}
