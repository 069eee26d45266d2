/** Times of the engine, in milliseconds. The defaults suit production; tests scale them down. */
export interface EngineTimes {
  /** A run's lock in Redis; a run whose worker died starts again after about this. Default 10 000. */
  lockMs: number;
  /** How often runs of dead workers are looked for. Default 5 000. */
  stalledMs: number;
  /** Heartbeat: state of Redis, members. Default 2 000. */
  pollMs: number;
  /** A replica that was not heard of for this long feeds no more. Default 8 000. */
  memberMs: number;
  /** After Redis lost state nothing starts for this long; at least the longest pass. Default 20 000. */
  holdMs: number;
  /** A worker that took nothing for this long while keys wait is made anew. Default 60 000. */
  wedgedMs: number;
  /** How long a worker waits in one blocking call for work. Default 30 000. */
  blockMs: number;
}

export const defaultTimes: EngineTimes = {
  lockMs: 10_000,
  stalledMs: 5_000,
  pollMs: 2_000,
  memberMs: 8_000,
  holdMs: 20_000,
  wedgedMs: 60_000,
  blockMs: 30_000,
};

/** Names of the engine's own keys in Redis. The braces keep a service's keys in one slot. */
export function redisKeys(service: string) {
  const prefix = `{shoto:${service}}`;
  return {
    /** BullMQ's prefix. */
    prefix,
    epoch: `${prefix}/epoch`,
    hold: `${prefix}/hold`,
    members: `${prefix}/members`,
    counter: (instance: string) => `${prefix}/counter/${instance}`,
    fails: (queue: string) => `${prefix}/fails/${queue}`,
    wake: (queue: string) => `${prefix}/wake/${queue}`,
    firstStart: 'shoto:first-start',
  };
}
export type RedisKeys = ReturnType<typeof redisKeys>;
