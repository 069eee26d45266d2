import type { Command } from 'commander';
import { stringify } from 'yaml';
import { Api, type GlobalOptions, settingsOf } from '../client.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';

const PATH = '/v1/fleet/emergency-stop';

interface FleetStop {
  on: boolean;
  message: string;
}

/** `shoto fleet stop`, `resume` and `status`. */
export function fleetCommands(program: Command, c: Context): void {
  const fleet = program
    .command('fleet')
    .description('the emergency stop of all clusters')
    .addHelpText('after', '\nExamples:\n  shoto fleet status\n  shoto fleet stop --reason "storage of az1 burns"');
  const ask = async (command: Command, o: { output?: string }, method: 'GET' | 'PUT' | 'DELETE', body?: object) => {
    if (o.output !== undefined && o.output !== 'json' && o.output !== 'yaml')
      throw new CliError(EXIT.usage, `-o ${o.output}: choose json or yaml`);
    const api = new Api(settingsOf(command.optsWithGlobals<GlobalOptions>(), c.env));
    const stop = await api.call<FleetStop>(method, PATH, body);
    if (o.output === 'json') c.out.write(`${JSON.stringify(stop, null, 2)}\n`);
    else if (o.output === 'yaml') c.out.write(stringify(stop));
    else c.out.write(`${stop.message}\n`);
  };
  const on = (name: string, description: string): Command =>
    fleet.command(name).description(description).option('-o, --output <form>', 'json or yaml');

  on('stop', 'stop everything that destroys, in every cluster, at once; needs an administrator')
    .requiredOption('--reason <text>', 'why; it is said on every cluster')
    .addHelpText(
      'after',
      `
Nothing is drained, rebooted, replaced or deleted any more, until shoto fleet resume. Making, joining and watching go on.

Example:
  shoto fleet stop --reason "storage of az1 burns"`,
    )
    .action((o: { reason: string; output?: string }, command: Command) => ask(command, o, 'PUT', { reason: o.reason }));
  on('resume', 'end the emergency stop; needs an administrator')
    .addHelpText('after', '\nExample:\n  shoto fleet resume')
    .action((o: { output?: string }, command: Command) => ask(command, o, 'DELETE'));
  on('status', 'whether the emergency stop is on, since when, by whom and why')
    .addHelpText('after', '\nExample:\n  shoto fleet status -o json')
    .action((o: { output?: string }, command: Command) => ask(command, o, 'GET'));
}
