import { createServer, type Server } from 'node:net';

/** Below those that systems give to outgoing connections (Linux: from 32 768, others: from 49 152): these would be taken before somebody listens there. */
const [LOWEST, HIGHEST] = [12_000, 32_000];
const TRIES = 100;

/**
 * Free ports of an address, chosen by chance. All are held until the last is found, so that none comes twice.
 *
 * @param host - address to listen on; default loopback
 * @throws {Error} the address is not one of this machine's, or all ports that were tried are taken
 */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => holdOne(host)));
  const ports = servers.map((s) => (s.address() as { port: number }).port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}

async function holdOne(host: string): Promise<Server> {
  for (let tries = 1; ; tries++) {
    const server = createServer();
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    try {
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
      return server;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries >= TRIES) throw e;
    }
  }
}

/**
 * A slice of loopback that nobody listens in, for the simulated external network: floating IPs are real addresses of this
 * host. Chosen by chance among a thousand, so that two systems side by side do not meet.
 *
 * @returns a /18 within 127.0.0.0/8, such as 127.93.64.0/18
 */
export async function freeLoopbackSlice(random: () => number = Math.random): Promise<string> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const second = 2 + Math.floor(random() * 250);
    const third = 64 * Math.floor(random() * 4);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(6443, `127.${second}.${third}.2`, () => probe.close(() => resolve(true)));
    });
    if (free) return `127.${second}.${third}.0/18`;
  }
  throw new Error('no free slice of 127.0.0.0/8 for floating IPs: port 6443 is taken on 20 addresses that were tried');
}
