import { createHash } from 'node:crypto';

const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
/** Pattern of a repository's name. */
export const NAME = `${PART}(?:/${PART})*`;
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
/** What stands where a digest belongs; whether it is one is looked at later. */
export const DIGEST_LIKE = '[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+';
/** Pattern of a tag or digest. */
export const REFERENCE = `${TAG}|${DIGEST_LIKE}`;

/** Whether text is a SHA-256 digest: the only algorithm that is kept here. */
export const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

/** Digest of content. */
export const digestOf = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
