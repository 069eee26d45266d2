import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../types.ts';
import type { Store } from './store.ts';

type Line =
  | { t: string; o: KubeObject; r?: number }
  | { t: string; d: [namespace: string, name: string]; r: number }
  | { r: number };

/** Below this size (bytes) the file is not rewritten. */
const smallest = 8 * 1024 * 1024;
const syncEveryMs = 25;

const parse = (line: string): Line | undefined => {
  try {
    return JSON.parse(line) as Line;
  } catch {
    return undefined;
  }
};

/**
 * Keeps a Store in one file, `<directory>/objects.jsonl`: a line per object, followed by a line per later change. Each change is in the
 * kernel before its writer is answered, so SIGKILL loses nothing; fdatasync follows within 25 ms. A torn last line (power cut) is dropped. When the file has grown to
 * twice its compact size it is written anew beside it and renamed.
 */
export class Disk {
  private readonly path: string;
  private readonly store: Store;
  private fd: number;
  private size: number;
  private compactSize: number;
  private sync: NodeJS.Timeout | undefined;

  /** Loads what the directory holds into `store` (which must be empty) and from then on writes every change. Throws when a line but the last is damaged. */
  constructor(directory: string, store: Store) {
    mkdirSync(directory, { recursive: true });
    this.path = join(directory, 'objects.jsonl');
    this.store = store;
    if (existsSync(this.path)) this.load();
    // Rewritten at each start: what was torn goes, and the file is compact.
    this.fd = this.rewrite();
    this.size = fstatSync(this.fd).size;
    this.compactSize = this.size;
    store.attach({
      put: (table, object) => this.append({ t: table, o: object }),
      remove: (table, namespace, name, revision) => this.append({ t: table, d: [namespace, name], r: revision }),
    });
  }

  /** Makes all durable and closes the file. */
  close(): void {
    clearTimeout(this.sync);
    fdatasyncSync(this.fd);
    closeSync(this.fd);
  }

  private load(): void {
    const lines = readFileSync(this.path, 'utf8').split('\n');
    const objects = new Map<string, { table: string; object: KubeObject }>();
    let revision = 0;
    lines.forEach((text, index) => {
      if (text === '') return;
      const line = parse(text);
      if (line === undefined) {
        if (index === lines.length - 1) return;
        throw new Error(
          `${this.path}: line ${index + 1} is damaged; restore the file from a copy, or remove it to start empty`,
        );
      }
      if (!('t' in line)) {
        revision = Math.max(revision, line.r);
      } else if ('d' in line) {
        objects.delete(`${line.t} ${line.d[0]}/${line.d[1]}`);
        revision = Math.max(revision, line.r);
      } else {
        objects.set(`${line.t} ${line.o.metadata.namespace ?? ''}/${line.o.metadata.name}`, {
          table: line.t,
          object: line.o,
        });
        revision = Math.max(revision, Number(line.o.metadata.resourceVersion));
      }
    });
    this.store.load(objects.values(), revision);
  }

  private append(line: Line): void {
    const data = Buffer.from(`${JSON.stringify(line)}\n`);
    writeFully(this.fd, data);
    this.size += data.length;
    if (this.size > smallest && this.size > 2 * this.compactSize) {
      closeSync(this.fd);
      this.fd = this.rewrite();
      this.size = fstatSync(this.fd).size;
      this.compactSize = this.size;
      return;
    }
    this.sync ??= setTimeout(() => {
      this.sync = undefined;
      // A rewrite may close this descriptor meanwhile; the rewritten file is synced by itself.
      fdatasync(this.fd, () => undefined);
    }, syncEveryMs).unref();
  }

  private rewrite(): number {
    const temporary = `${this.path}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    const header: Line = { r: this.store.revision };
    let chunk = `${JSON.stringify(header)}\n`;
    for (const { table, object } of this.store.all()) {
      chunk += `${JSON.stringify({ t: table, o: object })}\n`;
      if (chunk.length > 1 << 20) {
        writeFully(fd, Buffer.from(chunk));
        chunk = '';
      }
    }
    writeFully(fd, Buffer.from(chunk));
    fdatasyncSync(fd);
    renameSync(temporary, this.path);
    return fd;
  }
}

function writeFully(fd: number, data: Buffer): void {
  for (let written = 0; written < data.length; ) written += writeSync(fd, data, written);
}
