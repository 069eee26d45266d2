import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { request } from 'undici';
import type { GlobalOptions } from './client.ts';
import { clusterAddonCommands } from './commands/cluster-addon.ts';
import { completionCommand } from './commands/completion.ts';
import { createCommand } from './commands/create.ts';
import { describeCommand } from './commands/describe.ts';
import { fleetCommands } from './commands/fleet.ts';
import { lifeCommands } from './commands/life.ts';
import { machineCommands } from './commands/machine.ts';
import { poolCommands } from './commands/pool.ts';
import { readCommands } from './commands/read.ts';
import { scaleCommand } from './commands/scale.ts';
import { clusterCommands } from './commands/set-cluster.ts';
import { upgradeCommand } from './commands/upgrade.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './errors.ts';

const own = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

/** The whole command line; the tools of addon authors are large, and loaded only where they are asked for. */
async function createProgram(c: Context, args: string[]): Promise<Command> {
  const program = new Command('shoto')
    .description('Clusters as a service: whole Kubernetes clusters with one command.')
    .option('--server <url>', 'URL of the API (SHOTO_API_URL)')
    .option('--token <token>', 'your token (SHOTO_TOKEN, or a file by SHOTO_TOKEN_FILE)')
    .option('--tenant <name>', 'your team (SHOTO_TENANT)')
    .configureOutput({ writeOut: (t) => c.out.write(t), writeErr: (t) => c.err.write(t) })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 wrong command line, 3 not found, 4 refused, 5 not allowed, 6 unreachable, 7 not in time.

Examples:
  shoto create cluster web          make a cluster and watch it
  shoto get clusters
  shoto kubeconfig web > kubeconfig
  shoto scale web --pool default=5
  shoto upgrade cluster web --to v1.36 --dry-run
  shoto delete cluster web`,
    );
  const group = (name: string, description: string, examples: string): Command =>
    program.command(name).description(description).addHelpText('after', `\nExamples:\n${examples}`);
  const create = group(
    'create',
    'make a cluster, a node pool, or give a cluster an addon',
    '  shoto create cluster web\n  shoto create pool web gpu --flavor g1.large --count 2\n  shoto create addon web grafana',
  );
  const set = group(
    'set',
    'change a cluster, a node pool, or an addon',
    '  shoto set cluster web --healing off\n  shoto set pool web default --flavor m1.large',
  );
  const remove = group(
    'delete',
    'delete a cluster with everything that it has in the cloud, a node pool, or an addon',
    '  shoto delete cluster web\n  shoto delete pool web gpu',
  );
  createCommand(create, c);
  readCommands(program, c);
  describeCommand(program, c);
  scaleCommand(program, c);
  poolCommands({ create, set, remove }, c);
  clusterAddonCommands({ program, create, set, remove }, c);
  clusterCommands({ program, set }, c);
  upgradeCommand(program, c);
  machineCommands(program, c);
  fleetCommands(program, c);
  lifeCommands(program, remove, c);
  const addon = group(
    'addon',
    'write, test and publish addons',
    '  shoto addon init hello\n  shoto addon lint hello\n  shoto addon test hello',
  );
  if (args.includes('addon') || args.includes('completion'))
    (await import('./commands/addon/index.ts')).addonCommands(addon, c);
  completionCommand(program, c);
  program
    .command('version')
    .description('print the version of the client, and of the server where it answers')
    .addHelpText('after', '\nExample:\n  shoto version')
    .action(async (_o: object, command: Command) => {
      c.out.write(`client ${own}\n`);
      const url = command.optsWithGlobals<GlobalOptions>().server ?? c.env.SHOTO_API_URL;
      if (!url) return;
      try {
        const answer = await request(`${url.replace(/\/$/, '')}/v1/version`, { headersTimeout: 5000 });
        c.out.write(`server ${((await answer.body.json()) as { version: string }).version}\n`);
      } catch {
        c.err.write(`server: ${url} does not answer\n`);
      }
    });
  for (const sub of all(program))
    sub
      .configureOutput({ writeOut: (t) => c.out.write(t), writeErr: (t) => c.err.write(t) })
      .exitOverride()
      .showHelpAfterError('(--help shows what there is)');
  return program;
}

const all = (c: Command): Command[] => c.commands.flatMap((sub) => [sub, ...all(sub)]);

/**
 * Runs a command line.
 *
 * @param args - without node and script
 * @returns the exit code
 */
export async function run(args: string[], c: Context): Promise<number> {
  try {
    await (await createProgram(c, args)).parseAsync(args, { from: 'user' });
    return 0;
  } catch (e) {
    if (e instanceof CliError) {
      c.err.write(`shoto: ${e.message}\n`);
      return e.exitCode;
    }
    const known = e as { code?: string; exitCode?: number; message?: string };
    // commander has printed already what is wrong; help that was asked for is no error.
    if (known.code?.startsWith('commander.'))
      return known.exitCode === 0 || known.code === 'commander.helpDisplayed' ? 0 : EXIT.usage;
    c.err.write(`shoto: ${known.message ?? String(e)}\n`);
    return EXIT.failed;
  }
}
