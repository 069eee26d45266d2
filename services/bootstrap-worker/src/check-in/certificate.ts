import { isIP } from 'node:net';
import type { Region } from '@shoto/api';
import { issue, type KeyedCertificate, notAfter } from '@shoto/pki';
import type { Clock } from '@shoto/service';
import { checkInHosts } from '../kubeadm/node.ts';

const LIFETIME_SECONDS = 90 * 24 * 3600;
const RENEW_BEFORE_MS = 30 * 24 * 3600 * 1000;

/**
 * The check-in server's own certificate: for the host of every Region's check-in URL, made in memory from the CA that user-data names. A
 * restart, or a Region that comes, makes a new one; machines trust the CA and notice nothing.
 */
export class CheckInCertificate {
  readonly #ca: KeyedCertificate;
  readonly #clock: Clock;
  #hosts = '';
  #renewAt = 0;

  constructor(ca: KeyedCertificate, clock: Clock) {
    this.#ca = ca;
    this.#clock = clock;
  }

  /** A certificate to show from now on; undefined where the one in use is still right. */
  async next(regions: readonly Region[]): Promise<KeyedCertificate | undefined> {
    const hosts = checkInHosts(regions);
    const now = this.#clock.now();
    if (this.#renewAt > now && this.#hosts === hosts.join()) return undefined;
    const made = await issue(this.#ca, {
      commonName: 'shoto-bootstrap-worker',
      usages: ['server'],
      dnsNames: ['localhost', ...hosts.filter((h) => isIP(h) === 0)],
      ipAddresses: hosts.filter((h) => isIP(h) !== 0),
      seconds: LIFETIME_SECONDS,
      now,
    });
    this.#hosts = hosts.join();
    this.#renewAt = notAfter(made.certificate) - RENEW_BEFORE_MS;
    return made;
  }
}
