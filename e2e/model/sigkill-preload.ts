/**
 * Loaded into the processes of services (`node --import`) by the test of real deaths: the process sends itself SIGKILL at one outside call. The
 * services know nothing of it. What to do is in a file, looked at before each call: `{"id":"1","service":"provisioner","call":12,"side":"before"}`;
 * each order is carried out once, and calls are counted from when it was first seen.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { Agent, type Dispatcher } from 'undici';
import { isPoint } from './outside-calls.ts';

interface Order {
  id: string;
  service: string;
  call: number;
  side: 'before' | 'after';
}

const file = process.env.SHOTO_TEST_KILL_FILE ?? '';
const service = /services\/([^/]+)\//.exec(process.argv[1] ?? '')?.[1];
let seen = '';
let count = 0;

function orderNow(): Order | undefined {
  try {
    const order = JSON.parse(readFileSync(file, 'utf8')) as Order;
    if (order.service !== service || existsSync(`${file}.${order.id}`)) return undefined;
    if (order.id !== seen) {
      seen = order.id;
      count = 0;
    }
    return order;
  } catch {
    return undefined; // none yet, or half of one
  }
}

function die(order: Order): void {
  appendFileSync(`${file}.${order.id}`, `${process.pid}\n`);
  process.kill(process.pid, 'SIGKILL');
}

if (file && service) {
  const { dispatch } = Agent.prototype;
  Agent.prototype.dispatch = function (this: Agent, options, handler) {
    const order = isPoint(options.method, options.path) ? orderNow() : undefined;
    if (!order) return dispatch.call(this, options, handler);
    const mine = count++ === order.call;
    if (mine && order.side === 'before') die(order);
    if (!mine) return dispatch.call(this, options, handler);
    const inner = handler as Dispatcher.DispatchHandler;
    const { onResponseStart } = inner;
    inner.onResponseStart = (...args) => {
      die(order);
      onResponseStart?.apply(inner, args);
    };
    return dispatch.call(this, options, inner);
  };
}
