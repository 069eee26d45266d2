import { createHash } from 'node:crypto';
import { StepFailed } from './step-failed.ts';

/** Digests of what was downloaded, by URL: thousands of machines of a process fetch the same few files. */
const fetched = new Map<string, Promise<string>>();
const MAX_KNOWN = 1000;

async function digestOf(url: string): Promise<string> {
  const answer = await fetch(url);
  if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
  const hash = createHash('sha256');
  for await (const chunk of answer.body) hash.update(chunk);
  return hash.digest('hex');
}

/** Downloads a file and checks its digest. @throws {StepFailed} when it cannot be had, or is another */
export async function fetchArtifact(
  a: { name: string; url: string; sha256: string },
  power: AbortSignal,
): Promise<void> {
  let digest = fetched.get(a.url);
  if (!digest) {
    if (fetched.size >= MAX_KNOWN) fetched.clear();
    digest = digestOf(a.url);
    fetched.set(a.url, digest);
    digest.catch(() => fetched.delete(a.url));
  }
  let found: string;
  try {
    found = await digest;
  } catch (error) {
    throw new StepFailed(`${a.name} from ${a.url}: ${error instanceof Error ? error.message : String(error)}`);
  }
  power.throwIfAborted();
  if (found !== a.sha256) {
    fetched.delete(a.url);
    throw new StepFailed(`${a.name} from ${a.url}: it is sha256:${found}, the release says sha256:${a.sha256}`);
  }
}
