import type { Command } from 'commander';
import { type Context, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { parseWindow } from '../window.ts';
import { type ChangeOptions, carryOut, changeCluster, withChangeOptions } from './change.ts';

interface Options extends ChangeOptions {
  controlPlaneFlavor?: string;
  maintenanceWindow?: string;
  healing?: string;
}

/** `shoto set cluster`, `shoto pause cluster`, `shoto resume cluster`. */
export function clusterCommands(at: { program: Command; set: Command }, c: Context): void {
  withChangeOptions(
    at.set
      .command('cluster')
      .description('change a cluster: flavor of its control plane, maintenance window, healing')
      .argument('<name>', 'its name')
      .option('--control-plane-flavor <flavor>', 'flavor of control-plane machines; they are replaced one by one')
      .option(
        '--maintenance-window <window>',
        'when machines may be replaced: "Sat,Sun 02:00-06:00 Asia/Tokyo"; none: any time',
      )
      .option('--healing <on|off>', 'whether sick machines are rebooted and replaced'),
  )
    .addHelpText(
      'after',
      `
Examples:
  shoto set cluster web --maintenance-window "Sat,Sun 02:00-06:00 Asia/Tokyo"
  shoto set cluster web --maintenance-window "Mon-Fri 22:00-02:00 Europe/Berlin"
  shoto set cluster web --maintenance-window none
  shoto set cluster web --healing off
  shoto set cluster web --control-plane-flavor m1.large --dry-run`,
    )
    .action(async (name: string, o: Options, command: Command) => {
      const patch: Record<string, unknown> = {
        ...(o.controlPlaneFlavor === undefined ? {} : { controlPlane: { flavor: o.controlPlaneFlavor } }),
        ...(o.maintenanceWindow === undefined ? {} : { maintenanceWindow: parseWindow(o.maintenanceWindow) }),
        ...(o.healing === undefined ? {} : { healing: { enabled: onOff(o.healing) } }),
      };
      if (Object.keys(patch).length === 0)
        throw new CliError(
          EXIT.usage,
          'nothing to set: give --control-plane-flavor, --maintenance-window or --healing',
        );
      // Only another flavor is work to wait for.
      const wait = o.wait && o.controlPlaneFlavor !== undefined;
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        () => patch,
        { ...o, wait },
        () => `cluster/${name} changed`,
      );
    });

  const pausing = (verb: 'pause' | 'resume', description: string, says: string): void => {
    at.program
      .command(verb)
      .description(description)
      .command('cluster')
      .description(description)
      .argument('<name>', 'its name')
      .addHelpText('after', `\nExample:\n  shoto ${verb} cluster web`)
      .action(async (name: string, _o: object, command: Command) => {
        await changeCluster(sessionOf(c, command), name, () => ({ paused: verb === 'pause' }));
        c.out.write(`cluster/${name} ${says}\n`);
      });
  };
  pausing(
    'pause',
    'leave a cluster as it is: nothing is made, changed, healed or removed until it is resumed',
    'is paused',
  );
  pausing('resume', 'let a paused cluster go on', 'goes on');
}

function onOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new CliError(EXIT.usage, `--healing ${text}: choose on or off`);
  return text === 'on';
}
