import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RegistryFaultAction } from './faults.ts';

/** A body whose sender is cut off after so many bytes: these still arrive. */
export async function* cutBody(body: AsyncIterable<Buffer>, afterBytes: number): AsyncGenerator<Buffer> {
  let left = afterBytes;
  for await (const piece of body) {
    if (piece.length >= left) {
      yield piece.subarray(0, left);
      throw new CutOff();
    }
    left -= piece.length;
    yield piece;
  }
  throw new CutOff();
}

/** The connection was cut on purpose. */
export class CutOff extends Error {}

/** Sends an answer as far as it was ordered. */
export function sendFaulty(
  action: Extract<RegistryFaultAction, { type: 'cut' | 'corrupt' }> | undefined,
  response: ServerResponse,
  body: Buffer,
): void {
  if (action?.type === 'corrupt' && body.length > 0) {
    const other = Buffer.from(body);
    other[other.length - 1]! ^= 1;
    response.end(other);
  } else if (action?.type === 'cut') {
    response.write(body.subarray(0, action.afterBytes), () => response.destroy());
  } else response.end(body);
}

/** Pieces of a request's body. A sender that goes away ends it with an error. */
export const piecesOf = (request: IncomingMessage): AsyncIterable<Buffer> => request as AsyncIterable<Buffer>;
