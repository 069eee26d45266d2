import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Target } from '../operations/target.ts';
import type { Call, Core } from '../server-core.ts';
import { StatusError } from '../status.ts';
import type { KubeObject, User } from '../types.ts';
import { negotiate, type Shown } from './accept.ts';
import { decodeBody, mediaType, readBody } from './body.ts';
import type { RequestInfo } from './request-info.ts';
import { warnHeader } from './respond.ts';

/** Asks what must be asked before an object is stored. */
export interface Admission {
  /**
   * Gives the object as admission leaves it.
   * @param object undefined for DELETE
   * @throws {StatusError} when refused
   */
  admit<T extends KubeObject | undefined>(
    x: Exchange,
    target: Target,
    call: Call,
    operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT',
    object: T,
    old: KubeObject | undefined,
    subresource?: string,
  ): Promise<T>;
}

/** One authenticated and authorised request with what is needed to answer it. */
export interface Exchange {
  core: Core;
  admission: Admission;
  request: IncomingMessage;
  response: ServerResponse;
  info: RequestInfo;
  user: User;
  /** Of the server that answers, where that is another than the one of the options. */
  version?: string | undefined;
  /** Which of several servers answers. */
  front?: { name: string; startedAtMs: number } | undefined;
  /** The connection, where the client asks for another protocol on it; `taken` once that was done. */
  upgrade?: { socket: Duplex; head: Buffer; taken: boolean } | undefined;
}

/** Media type of the request's body. */
export const contentType = (x: Exchange): string => mediaType(x.request.headers['content-type']);

/** The parsed body; undefined when empty. */
export const body = async (x: Exchange): Promise<unknown> => decodeBody(await readBody(x.request), contentType(x));

/** How the answer is to be shown. @throws {StatusError} 406 */
export function shown(x: Exchange): Shown {
  const found = negotiate(x.request.headers.accept);
  if (!found)
    throw new StatusError(
      406,
      'NotAcceptable',
      'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
  return found;
}

/** The manager named by the request, or the program of the User-Agent. */
function manager(x: Exchange): string {
  const said = x.info.query.get('fieldManager');
  if (said) return said;
  return (x.request.headers['user-agent'] ?? 'unknown').split('/')[0] || 'unknown';
}

/** How the request wants its write carried out. @throws {StatusError} 400 or 422 for a wrong option */
export function callOf(x: Exchange, apply = false): Call {
  const dryRun = x.info.query.getAll('dryRun');
  if (dryRun.some((v) => v !== 'All')) {
    const causes = [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(dryRun[0])}: supported values: "All"`,
        field: 'dryRun',
      },
    ];
    throw new StatusError(422, 'Invalid', ` "" is invalid: dryRun: ${causes[0]?.message}`, { causes });
  }
  const validation = x.info.query.get('fieldValidation') ?? '';
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(validation)) {
    const message = `Unsupported value: "${validation}": supported values: "Ignore", "Strict", "Warn"`;
    throw new StatusError(422, 'Invalid', ` "" is invalid: fieldValidation: ${message}`, {
      causes: [{ reason: 'FieldValueNotSupported', message, field: 'fieldValidation' }],
    });
  }
  return {
    user: x.user,
    manager: apply ? (x.info.query.get('fieldManager') ?? undefined) : manager(x),
    dryRun: dryRun.length > 0,
    fieldValidation: (validation || 'Warn') as 'Ignore' | 'Warn' | 'Strict',
    warn: (text) => warnHeader(x.response, text),
  };
}
