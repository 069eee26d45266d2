import { writeFile } from 'node:fs/promises';
import { generateKeyPair } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { passwordOf } from './registry.ts';

/** `shoto addon keygen`. */
export function keygenCommand(addon: Command, c: Context): void {
  addon
    .command('keygen')
    .description('make a pair of keys to sign bundles with; cosign reads them too')
    .argument('[name]', 'files <name>.key and <name>.pub', 'addons')
    .addHelpText(
      'after',
      `
The private key is sealed with the password in COSIGN_PASSWORD; without one it is in clear. The public one goes into AddonRegistry.spec.publicKeys.

Example:
  COSIGN_PASSWORD=... shoto addon keygen addons`,
    )
    .action(async (name: string) => {
      const password = passwordOf(c);
      const pair = generateKeyPair(password);
      for (const [file, text, mode] of [
        [`${name}.key`, pair.privateKey, 0o600],
        [`${name}.pub`, pair.publicKey, 0o644],
      ] as const)
        try {
          await writeFile(file, text, { mode, flag: 'wx' });
        } catch (e) {
          if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
          throw new CliError(
            EXIT.usage,
            `${file} is there already: what it signed would be lost with it; choose another name`,
          );
        }
      c.out.write(`${pair.fingerprint}\n${name}.key (keep it to yourself), ${name}.pub\n`);
      if (password === '') c.err.write(`${name}.key is not sealed: set COSIGN_PASSWORD to have it so\n`);
    });
}
