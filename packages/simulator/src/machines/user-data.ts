import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { z } from 'zod';

const CHECK_IN_PATH = '/etc/shoto/check-in.json';

const cloudConfig = z.looseObject({
  write_files: z
    .array(z.looseObject({ path: z.string(), content: z.string().default(''), encoding: z.string().default('') }))
    .default([]),
});

const checkInFile = z.looseObject({
  version: z.literal(1),
  url: z.url({ protocol: /^https$/ }),
  caCertificate: z.string().includes('BEGIN CERTIFICATE'),
  ticket: z.string().min(1),
});

/** What a machine is told of its bootstrap-worker. */
export type CheckInFile = z.output<typeof checkInFile>;

/** User-data as cloud-init would read it: a plain server, one that checks in, or something that cannot be used. */
type UserData = { kind: 'plain' } | { kind: 'check-in'; file: CheckInFile } | { kind: 'broken'; why: string };

/** Reads user-data. Scripts and cloud-configs without a check-in file boot a plain server. */
export function readUserData(text: string): UserData {
  if (!text.startsWith('#cloud-config')) return { kind: 'plain' };
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    return { kind: 'broken', why: `the cloud-config is not YAML: ${firstLine(error)}` };
  }
  const config = cloudConfig.safeParse(document ?? {});
  if (!config.success) return { kind: 'broken', why: `the cloud-config is not valid: ${firstLine(config.error)}` };
  const file = config.data.write_files.find((f) => f.path === CHECK_IN_PATH);
  if (!file) return { kind: 'plain' };
  try {
    return { kind: 'check-in', file: checkInFile.parse(JSON.parse(decode(file))) };
  } catch (error) {
    // Never the content: it holds the ticket.
    const why =
      error instanceof z.ZodError
        ? error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')
        : 'it is not JSON';
    return { kind: 'broken', why: `${CHECK_IN_PATH} cannot be used: ${why}` };
  }
}

/** The content of a file, by the encodings that cloud-init knows. */
function decode(file: { content: string; encoding: string }): string {
  const encoding = file.encoding.toLowerCase();
  if (!/^(gz|gzip)?\+?(b64|base64)$/.test(encoding)) return file.content;
  const bytes = Buffer.from(file.content, 'base64');
  return (encoding.startsWith('gz') ? gunzipSync(bytes) : bytes).toString();
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
