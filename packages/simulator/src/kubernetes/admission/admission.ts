import type { Exchange } from '../http/exchange.ts';
import type { Target } from '../operations/target.ts';
import type { Call } from '../server-core.ts';
import type { KubeObject } from '../types.ts';

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
