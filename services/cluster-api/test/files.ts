import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Files of one test. */
export interface Files {
  /** @returns the file's path */
  write(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

/** A folder of its own under the system's temporary one. */
export async function temporaryFiles(): Promise<Files> {
  const dir = await mkdtemp(join(tmpdir(), 'shoto-test-'));
  return {
    async write(name, text) {
      const file = join(dir, name);
      await writeFile(file, text, { mode: 0o600 });
      return file;
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
