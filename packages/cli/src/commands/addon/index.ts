import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { diffCommand } from './diff.ts';
import { initCommand } from './init.ts';
import { inspectCommand } from './inspect.ts';
import { keygenCommand } from './keygen.ts';
import { lintCommand } from './lint.ts';
import { packCommand } from './pack.ts';
import { pullCommand } from './pull.ts';
import { pushCommand } from './push.ts';
import { renderCommand } from './render.ts';
import { signCommand } from './sign.ts';
import { testCommand } from './test.ts';

/** `shoto addon ...`: what authors of addons need. */
export function addonCommands(addon: Command, c: Context): void {
  initCommand(addon, c);
  lintCommand(addon, c);
  renderCommand(addon, c);
  testCommand(addon, c);
  diffCommand(addon, c);
  packCommand(addon, c);
  pushCommand(addon, c);
  pullCommand(addon, c);
  inspectCommand(addon, c);
  signCommand(addon, c);
  keygenCommand(addon, c);
}
