import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { diffCommand } from './diff.ts';
import { initCommand } from './init.ts';
import { lintCommand } from './lint.ts';
import { renderCommand } from './render.ts';
import { testCommand } from './test.ts';

/** `shoto addon ...`: what authors of addons need. */
export function addonCommands(addon: Command, c: Context): void {
  initCommand(addon, c);
  lintCommand(addon, c);
  renderCommand(addon, c);
  testCommand(addon, c);
  diffCommand(addon, c);
}
