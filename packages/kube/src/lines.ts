const NEWLINE = 10;

/**
 * Cuts a stream of bytes into lines of text, without their ends; empty ones are left out. Holds nothing but an unfinished line: a decoder for each stream
 * would cost more than most streams ever say.
 */
export class Lines {
  #rest: Uint8Array | undefined;

  /** Takes the next piece and gives every line that it completes. What `onLine` throws is thrown on. */
  push(chunk: Uint8Array, onLine: (line: string) => void): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
      const piece = bytes.subarray(from, to);
      const line = this.#rest ? Buffer.concat([this.#rest, piece]) : piece;
      this.#rest = undefined;
      from = to + 1;
      if (line.length > 0) onLine(line.toString('utf8'));
    }
    const rest = bytes.subarray(from);
    if (rest.length > 0) this.#rest = this.#rest ? Buffer.concat([this.#rest, rest]) : Buffer.from(rest);
  }
}
