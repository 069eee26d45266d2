/** Where a registry keeps bytes: contents by digest, and uploads that are not over. */
export interface Contents {
  /** @returns undefined where there is none of that digest */
  read(digest: string): Promise<Buffer | undefined>;
  write(digest: string, content: Buffer): Promise<void>;
  /** Begins an upload. */
  begin(id: string): Promise<void>;
  append(id: string, piece: Buffer): Promise<void>;
  /** What was uploaded so far; undefined where there is no such upload. */
  uploaded(id: string): Promise<Buffer | undefined>;
  /** Bytes that were uploaded so far; undefined where there is no such upload. */
  uploadedSize(id: string): Promise<number | undefined>;
  forget(id: string): Promise<void>;
  /** What was kept under a name; undefined where nothing was. */
  load(name: string): Promise<string | undefined>;
  /** Keeps a small text under a name, in one step: nobody ever finds half of it. */
  save(name: string, text: string): Promise<void>;
  /** Names below a folder that something was kept under. */
  list(folder: string): Promise<string[]>;
}
