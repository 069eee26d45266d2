import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { ProblemError } from '../problem.ts';
import type { Authenticator, User } from './access.ts';

interface Entry {
  digest: Buffer;
  user: User;
  expiresAt: number;
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/**
 * Reads a file of tokens: `token,user,group|group,expiry` a line; `#` begins a comment.
 *
 * @throws {Error} naming file and line, never the token
 */
export function parseTokens(text: string, file: string): Entry[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [token, name, groups, expiry] = line.split(',').map((s) => s.trim());
    if (!token || !name) throw new Error(`${file}, line ${i + 1}: needs token,user,groups,expiry`);
    const expiresAt = expiry ? Date.parse(expiry) : Number.POSITIVE_INFINITY;
    if (Number.isNaN(expiresAt)) throw new Error(`${file}, line ${i + 1}: ${expiry} is no RFC 3339 time`);
    return [{ digest: digestOf(token), user: { name, groups: groups ? groups.split('|') : [] }, expiresAt }];
  });
}

/**
 * Tokens from a file, read again when it changes, so that one is revoked by removing its line.
 *
 * @param now - milliseconds since the epoch
 * @param onError - told once of each version of the file that cannot be read; until it is mended the tokens stay as they were
 */
export function tokenFile(
  file: string,
  now: () => number,
  onError: (e: Error) => void,
): Authenticator & { load(): Promise<void> } {
  let entries: Entry[] = [];
  let seen = '';
  const readAgain = async (): Promise<void> => {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true });
    const version = `${mtimeNs}/${size}/${ino}`;
    if (version === seen) return;
    seen = version;
    entries = parseTokens(await readFile(file, 'utf8'), file);
  };
  let reading: Promise<void> | undefined;
  // Requests that come while the file is being read wait for it, or they would be judged by what it said before.
  const load = (): Promise<void> => {
    reading ??= readAgain().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  let told = '';
  const reload = async (): Promise<void> => {
    try {
      await load();
      told = '';
    } catch (e) {
      const error = e as Error;
      if (told !== error.message) onError(error);
      told = error.message;
    }
  };
  return {
    load,
    async authenticate(token) {
      await reload();
      const digest = digestOf(token);
      const entry = entries.find((e) => timingSafeEqual(e.digest, digest));
      if (!entry) throw new ProblemError(401, 'Unauthorized', 'this token is not known: ask for a new one');
      if (entry.expiresAt <= now())
        throw new ProblemError(
          401,
          'TokenExpired',
          `this token expired at ${new Date(entry.expiresAt).toISOString()}: ask for a new one`,
        );
      return entry.user;
    },
  };
}
