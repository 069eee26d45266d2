import type { Random } from './random.ts';

/** How long one operation takes: a log-normal around `medianMs` with shape `spread` (0 = always the median). */
export interface Delay {
  medianMs: number;
  spread: number;
}

/** Latencies of the simulator: a named profile, and single operations that differ from it. */
export interface LatencySetting {
  profile: 'none' | 'realistic';
  /** By operation (`nova.server.boot`) or by prefix with a star (`neutron.*`); the longest match wins. */
  operations: Record<string, Delay>;
}

const d = (medianMs: number, spread = 0.3): Delay => ({ medianMs, spread });

/** Measured on a small real cloud (Zed): median of the answer or, for background work, of the whole change. */
const realistic: Record<string, Delay> = {
  '*': d(40),
  'keystone.*': d(25),
  'keystone.token.create': d(60),
  'neutron.*': d(80),
  'neutron.network.create': d(300),
  'neutron.subnet.create': d(200),
  'neutron.router.create': d(500),
  'neutron.router.update': d(500),
  'neutron.router.delete': d(500),
  'neutron.router.add_interface': d(500),
  'neutron.port.create': d(200),
  'neutron.port.delete': d(250),
  'neutron.floatingip.create': d(500),
  'neutron.security_group_rule.create': d(40),
  'nova.*': d(80),
  'nova.server.create': d(250),
  'nova.server.boot': d(5000, 0.25),
  'nova.server.delete': d(100),
  'nova.server.destroy': d(2000),
  'nova.server.stop': d(2500),
  'nova.server.start': d(1200),
  'nova.server.reboot': d(2500),
  // A hypervisor tells of a guest that ended; seen 20 s after a machine switched itself off.
  'nova.power.sync': d(15_000),
  'cinder.*': d(80),
  'cinder.volume.provision': d(1000),
  'cinder.volume.attach': d(1500),
  'octavia.*': d(120),
  'octavia.loadbalancer.provision': d(3000),
  'octavia.loadbalancer.update': d(400),
  'octavia.loadbalancer.destroy': d(2000),
  'machine.boot': d(12_000, 0.2),
  'machine.kubeadm.init': d(12_000, 0.2),
  'machine.kubeadm.join': d(3000),
  'machine.kubeadm.join-control-plane': d(18_000, 0.2),
  'machine.cni': d(4000),
  'machine.pod.start': d(1500),
  'machine.pod.stop': d(300),
  'machine.pod.run': d(2000),
  'machine.volume.detach': d(5000),
};

const none: Record<string, Delay> = { '*': d(0, 0) };

/** One wait that was drawn. */
export interface Wait {
  operation: string;
  /** Whom it keeps waiting, as far as that is known: path, name or id of what it is about. */
  about: string;
  /** When it began, in real milliseconds since 1970. */
  at: number;
  ms: number;
}

/** Waits are recorded up to this many. */
const RECORDED = 200_000;

/** Draws how long operations take. */
export class Latency {
  /** Waits since the recording began; undefined while nothing is recorded. */
  waits: Wait[] | undefined;
  #setting: LatencySetting;
  #random: Random;
  #cache = new Map<string, Delay>();

  constructor(setting: LatencySetting, random: Random) {
    this.#setting = setting;
    this.#random = random;
  }

  get setting(): LatencySetting {
    return this.#setting;
  }

  set(setting: LatencySetting): void {
    this.#setting = setting;
    this.#cache.clear();
  }

  /**
   * Milliseconds that this run of `operation` takes.
   *
   * @param about - whom it keeps waiting; asked only while waits are recorded
   */
  sample(operation: string, about: () => string = () => ''): number {
    let delay = this.#cache.get(operation);
    if (!delay) {
      delay =
        find(this.#setting.operations, operation) ??
        find(this.#setting.profile === 'realistic' ? realistic : none, operation) ??
        d(0, 0);
      this.#cache.set(operation, delay);
    }
    if (delay.medianMs === 0) return 0;
    const ms = this.#random.logNormal(delay.medianMs, delay.spread);
    if (this.waits && this.waits.length < RECORDED)
      this.waits.push({ operation, about: about(), at: Date.now(), ms: Math.round(ms) });
    return ms;
  }
}

function find(table: Record<string, Delay>, operation: string): Delay | undefined {
  let key = operation;
  if (table[key]) return table[key];
  for (;;) {
    const dot = key.lastIndexOf('.');
    if (dot < 0) return table['*'];
    key = key.slice(0, dot);
    const found = table[`${key}.*`];
    if (found) return found;
  }
}
