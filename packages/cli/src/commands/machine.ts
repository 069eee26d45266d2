import { ANNOTATIONS, type Machine } from '@shoto/api';
import type { Command } from 'commander';
import { type Context, duration, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { machines } from '../output/kinds.ts';
import { formatOf, show } from '../output/print.ts';

interface Options {
  cluster: string;
  until: string;
  reason?: string;
  output?: string;
}

/**
 * A time to come as it is typed: `24h` from now, or RFC 3339.
 *
 * @param now - milliseconds since the epoch
 * @returns RFC 3339
 */
export function timeToCome(text: string, now: number): string {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const at = Date.parse(text);
    if (Number.isNaN(at))
      throw new CliError(EXIT.usage, `--until ${text} is no time: write 2026-11-21T03:00:00Z, or 24h`);
    return new Date(at).toISOString();
  }
  return new Date(now + duration(text)).toISOString();
}

/** `shoto keep machine`, `shoto unkeep machine`, `shoto force machine`. */
export function machineCommands(program: Command, c: Context): void {
  const onMachine = (verb: string, description: string): Command =>
    program
      .command(verb)
      .description(description)
      .command('machine')
      .description(description)
      .argument('<name>', 'its name')
      .requiredOption('--cluster <name>', 'its cluster')
      .option('-o, --output <form>', 'print the machine as table, wide, json, yaml or name');
  const ask = async (command: Command, o: Options, method: 'POST' | 'DELETE', path: string, body?: object) => {
    const s = sessionOf(c, command);
    const format = o.output === undefined ? undefined : formatOf(o.output);
    const machine = await s.api.call<Machine>(method, `${s.clusters(o.cluster)}/machines/${path}`, body);
    if (format) c.out.write(`${show([machine], machines, format, c.now(), true)}\n`);
    return { machine, tells: !format };
  };

  onMachine('keep', 'take a worker out of service and leave it for study; its pool gets another machine')
    .option('--until <time>', 'for so long (24h, 7d), or until a time (RFC 3339); at most 30 days', '24h')
    .option('--reason <text>', 'why, for those who find it')
    .addHelpText(
      'after',
      `
Its node is cordoned and drained; its server stays until then, and goes. Again: changes time and reason.

Examples:
  shoto keep machine web-default-x7k2p --cluster web --reason "disk looks odd"
  shoto keep machine web-default-x7k2p --cluster web --until 7d`,
    )
    .action(async (name: string, o: Options, command: Command) => {
      const body = { until: timeToCome(o.until, c.now()), ...(o.reason ? { reason: o.reason } : {}) };
      const { machine, tells } = await ask(command, o, 'POST', `${encodeURIComponent(name)}/keep`, body);
      const until = machine.metadata.annotations?.[ANNOTATIONS.keepUntil] ?? body.until;
      if (tells) c.out.write(`machine/${name} is kept until ${until}; its pool gets another machine\n`);
    });

  onMachine('unkeep', 'put a kept machine back into service; its pool has one too many then, and lets one go')
    .addHelpText('after', '\nExample:\n  shoto unkeep machine web-default-x7k2p --cluster web')
    .action(async (name: string, o: Options, command: Command) => {
      const { tells } = await ask(command, o, 'DELETE', `${encodeURIComponent(name)}/keep`);
      if (tells) c.out.write(`machine/${name} returns to service\n`);
    });

  onMachine('force', 'cut short the way out of a machine that leaves and does not get on; needs an administrator')
    .addHelpText(
      'after',
      `
Its drain and its node are skipped: pods that still run there are cut off, and may run twice where the server is not dead.

Example:
  shoto force machine web-default-x7k2p --cluster web`,
    )
    .action(async (name: string, o: Options, command: Command) => {
      const { tells } = await ask(command, o, 'POST', `${encodeURIComponent(name)}/force`);
      if (tells) c.out.write(`machine/${name} goes without drain\n`);
    });
}
