import type { Clock } from '../core/clock.ts';

/** Thrown when a machine is switched off in the middle of something. */
export class PowerLost extends Error {}

/** Waits on the simulator's clock. @throws {PowerLost} as soon as the machine loses power */
export function pause(clock: Clock, ms: number, power: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (power.aborted) return reject(new PowerLost());
    const lost = (): void => {
      timer.cancel();
      reject(new PowerLost());
    };
    const timer = clock.setTimeout(() => {
      power.removeEventListener('abort', lost);
      resolve();
    }, ms);
    power.addEventListener('abort', lost, { once: true });
  });
}
