import type { Contents } from './contents.ts';

/** Keeps everything as long as the process runs. */
export class MemoryContents implements Contents {
  #contents = new Map<string, Buffer>();
  #uploads = new Map<string, Buffer[]>();
  #texts = new Map<string, string>();

  async read(digest: string): Promise<Buffer | undefined> {
    return this.#contents.get(digest);
  }
  async write(digest: string, content: Buffer): Promise<void> {
    this.#contents.set(digest, content);
  }
  async begin(id: string): Promise<void> {
    this.#uploads.set(id, []);
  }
  async append(id: string, piece: Buffer): Promise<void> {
    this.#uploads.get(id)?.push(piece);
  }
  async uploaded(id: string): Promise<Buffer | undefined> {
    const pieces = this.#uploads.get(id);
    return pieces && Buffer.concat(pieces);
  }
  async uploadedSize(id: string): Promise<number | undefined> {
    return this.#uploads.get(id)?.reduce((sum, p) => sum + p.length, 0);
  }
  async forget(id: string): Promise<void> {
    this.#uploads.delete(id);
  }
  async load(name: string): Promise<string | undefined> {
    return this.#texts.get(name);
  }
  async save(name: string, text: string): Promise<void> {
    this.#texts.set(name, text);
  }
  async list(folder: string): Promise<string[]> {
    return [...this.#texts.keys()].filter((n) => n.startsWith(`${folder}/`)).map((n) => n.slice(folder.length + 1));
  }
}
