import type { QuotaExceeded } from '../errors.ts';

/** What a service's error answer says, whatever form it has. */
export interface ErrorText {
  message: string;
  /** The service's own word for the fault. */
  code?: string;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Reads the error forms of the services:
 * Keystone `{"error": {code, title, message}}`, Nova and Cinder `{"itemNotFound": {code, message}}`,
 * Neutron `{"NeutronError": {type, message, detail}}`, Octavia `{"faultcode", "faultstring", "debuginfo"}`,
 * Placement `{"errors": [{title, detail, code}]}`, a bare `{"message"}`, and the HTML or text of Glance, WSGI servers and proxies.
 */
export function parseErrorBody(body: unknown): ErrorText | undefined {
  if (typeof body === 'string') return parseText(body);
  if (!isObject(body)) return undefined;
  const faultstring = text(body.faultstring);
  if (faultstring !== undefined) return withCode(faultstring, text(body.faultcode));
  if (Array.isArray(body.errors) && isObject(body.errors[0])) {
    const first = body.errors[0];
    const message = text(first.detail) ?? text(first.title);
    return message === undefined ? undefined : withCode(message, text(first.code) ?? text(first.title));
  }
  const plain = text(body.message);
  if (plain !== undefined) return withCode(plain, text(body.title));
  for (const [key, inner] of Object.entries(body)) {
    if (isObject(inner)) {
      const message = text(inner.message);
      if (message === undefined) continue;
      const detail = text(inner.detail);
      const code = text(inner.type) ?? text(inner.title) ?? key;
      return { message: detail === undefined ? message : `${message} (${detail})`, code };
    }
    if (key.endsWith('Error')) {
      const message = text(inner);
      if (message !== undefined) return { message, code: key };
    }
  }
  return undefined;
}

function withCode(message: string, code: string | undefined): ErrorText {
  return code === undefined ? { message } : { message, code };
}

function parseText(body: string): ErrorText | undefined {
  const title = /<title>([^<]*)<\/title>/i.exec(body)?.[1]?.trim();
  const plain = body
    .replace(/<(head|style|script)\b[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&quot;/g, '"')
    .replace(/&#x27;|&#39;/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
    .trim();
  const message = (plain || title || '').slice(0, 500);
  return message === '' ? undefined : withCode(message, title);
}

const QUOTA_WORDS =
  /quota|VolumeLimitExceeded|SnapshotLimitExceeded|LimitExceeded|maximum number of \w+ (is )?exceeded/i;

/** What a refusal says of a quota; undefined when it is about something else. Only 403, 409 and 413 can be one. */
export function parseQuota(status: number, error: ErrorText): QuotaExceeded | undefined {
  if (status !== 403 && status !== 409 && status !== 413) return undefined;
  const message = error.message;
  if (error.code !== 'OverQuota' && !QUOTA_WORDS.test(message)) return undefined;
  const quota: QuotaExceeded = { resources: quotaResources(message) };
  const requested = /requested (\d+)/i.exec(message)?.[1];
  const used = /already used (\d+)/i.exec(message)?.[1];
  const limit = /used \d+ of (\d+)|\((\d+)\) exceeded|maximum of (\d+)|limit[^\d]{0,20}(\d+)/i.exec(message);
  const limitText = limit?.slice(1).find((group) => group !== undefined);
  if (requested !== undefined) quota.requested = Number(requested);
  if (used !== undefined) quota.used = Number(used);
  if (limitText !== undefined) quota.limit = Number(limitText);
  return quota;
}

function quotaResources(message: string): string[] {
  const list = /resources: ?\[([^\]]*)\]/.exec(message)?.[1];
  if (list !== undefined) return split(list);
  const named =
    /(?:quota has been met for resources?|quota exceeded for resources?): ?([^.\n]+)/i.exec(message)?.[1] ??
    /exceeded for quota '([^']+)'/i.exec(message)?.[1] ??
    /quota exceeded for (?:quota )?([\w ,-]+?)(?::|\.|$)/i.exec(message)?.[1] ??
    /too many ([\w ]+?)(?:\.|,|$)/i.exec(message)?.[1] ??
    /maximum number of ([\w ]+?) (?:allowed|exceeded|is exceeded)/i.exec(message)?.[1];
  return named === undefined ? [] : split(named);
}

function split(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.replace(/['"]/g, '').trim())
    .filter((word) => word !== '');
}
