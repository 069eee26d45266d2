/** A timer that may be called off. */
export interface Timer {
  cancel(): void;
}

/** Where every part of the simulator takes its time from; all times in milliseconds since the epoch. */
export interface Clock {
  now(): number;
  /** Runs `fn` once, `ms` simulated milliseconds from now. */
  setTimeout(fn: () => void, ms: number): Timer;
  /** Resolves after `ms` simulated milliseconds. */
  sleep(ms: number): Promise<void>;
}

interface Entry extends Timer {
  due: number;
  order: number;
  fn: () => void;
  live: boolean;
}

/** How a {@link SimulatorClock} runs. `speed` is simulated milliseconds per real one. */
export interface ClockMode {
  mode: 'real' | 'manual';
  speed: number;
}

/**
 * The simulator's clock: real time times a speed, or a manual one that moves only by {@link advance}.
 * Under a manual clock a timer of 0 ms still fires by itself, so that a cloud without latencies needs no hand.
 */
export class SimulatorClock implements Clock {
  #mode: ClockMode['mode'];
  #speed: number;
  #base: number;
  #realBase = performance.now();
  #heap: Entry[] = [];
  #order = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: Partial<ClockMode> & { start?: number } = {}) {
    this.#mode = options.mode ?? 'real';
    this.#speed = options.speed ?? 1;
    this.#base = options.start ?? Date.now();
  }

  now(): number {
    if (this.#mode === 'manual') return this.#base;
    return Math.round(this.#base + (performance.now() - this.#realBase) * this.#speed);
  }

  /** How the clock runs now. */
  get setting(): ClockMode {
    return { mode: this.#mode, speed: this.#speed };
  }

  /** Changes mode or speed; timers keep their simulated due time. */
  set(next: Partial<ClockMode>): void {
    this.#base = this.now();
    this.#realBase = performance.now();
    this.#mode = next.mode ?? this.#mode;
    this.#speed = next.speed ?? this.#speed;
    this.#arm();
  }

  setTimeout(fn: () => void, ms: number): Timer {
    const entry: Entry = { due: this.now() + Math.max(0, ms), order: this.#order++, fn, live: true, cancel: () => {} };
    entry.cancel = () => {
      entry.live = false;
    };
    if (this.#closed) return entry;
    if (ms <= 0) {
      setImmediate(() => {
        if (entry.live && !this.#closed) fn();
      });
      return entry;
    }
    push(this.#heap, entry);
    if (this.#heap[0] === entry) this.#arm();
    return entry;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimeout(resolve, ms));
  }

  /** Moves a manual clock forward, firing every timer on the way in order. */
  async advance(ms: number): Promise<void> {
    if (this.#mode !== 'manual') throw new Error('only a manual clock can be advanced; set mode to "manual" first');
    const end = this.#base + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#heap[0];
      if (!next || next.due > end) break;
      pop(this.#heap);
      this.#base = Math.max(this.#base, next.due);
      if (next.live) next.fn();
    }
    this.#base = end;
  }

  /** Drops every timer; nothing fires afterwards. */
  close(): void {
    this.#closed = true;
    this.#heap = [];
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const next = this.#heap[0];
    if (!next || this.#mode === 'manual') return;
    const wait = Math.min(2 ** 31 - 1, Math.max(0, (next.due - this.now()) / this.#speed));
    this.#timer = setTimeout(() => this.#fire(), wait);
  }

  #fire(): void {
    const now = this.now();
    for (let next = this.#heap[0]; next && next.due <= now; next = this.#heap[0]) {
      pop(this.#heap);
      if (next.live) next.fn();
    }
    this.#arm();
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(entry, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
