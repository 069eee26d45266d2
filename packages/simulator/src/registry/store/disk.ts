import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Contents } from './contents.ts';

/** `undefined` for a file that is not there; other errors are thrown. */
async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Keeps everything in a folder: `blobs/sha256/<hex>`, `uploads/<id>`, and small texts under their names. */
export class DiskContents implements Contents {
  readonly #dir: string;
  #serial = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  #blob(digest: string): string {
    return join(this.#dir, 'blobs', ...digest.split(':'));
  }
  #upload(id: string): string {
    return join(this.#dir, 'uploads', id);
  }
  async #put(file: string, content: Buffer | string): Promise<void> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const part = `${file}.part${++this.#serial}`;
    await writeFile(part, content, { mode: 0o600 });
    await rename(part, file);
  }

  read(digest: string): Promise<Buffer | undefined> {
    return unlessMissing(readFile(this.#blob(digest)));
  }
  write(digest: string, content: Buffer): Promise<void> {
    return this.#put(this.#blob(digest), content);
  }
  begin(id: string): Promise<void> {
    return this.#put(this.#upload(id), '');
  }
  append(id: string, piece: Buffer): Promise<void> {
    return appendFile(this.#upload(id), piece);
  }
  uploaded(id: string): Promise<Buffer | undefined> {
    return unlessMissing(readFile(this.#upload(id)));
  }
  async uploadedSize(id: string): Promise<number | undefined> {
    return (await unlessMissing(stat(this.#upload(id))))?.size;
  }
  forget(id: string): Promise<void> {
    return rm(this.#upload(id), { force: true });
  }
  load(name: string): Promise<string | undefined> {
    return unlessMissing(readFile(join(this.#dir, name), 'utf8'));
  }
  save(name: string, text: string): Promise<void> {
    return this.#put(join(this.#dir, name), text);
  }
  async list(folder: string): Promise<string[]> {
    const names = (await unlessMissing(readdir(join(this.#dir, folder)))) ?? [];
    return names.filter((n) => !/\.part\d+$/.test(n));
  }
}
