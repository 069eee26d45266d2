import { createPrivateKey, createPublicKey } from 'node:crypto';
import { issue, type KeyedCertificate, publicKeyHash } from '@shoto/pki';
import { formatIp, parseCidr, parseIp } from '../../core/ip.ts';
import type { ClusterConfiguration } from '../kubeadm/config.ts';

const YEAR_SECONDS = 365 * 24 * 3600;

/** Names a cluster by the key of its CA: what `caCertHashes` pins too. */
export const clusterId = (caCertificate: string): string => publicKeyHash(caCertificate);

/** Whether a private key belongs to a certificate or to a public key (all PEM). */
export function belongsTogether(privateKey: string, publicPem: string): boolean {
  try {
    return publicKeyHash(spki(createPublicKey(createPrivateKey(privateKey)))) === publicKeyHash(publicPem);
  } catch {
    return false;
  }
}

const spki = (key: ReturnType<typeof createPublicKey>): string =>
  key.export({ type: 'spki', format: 'pem' }).toString();

/** First address of the service range: the Service `kubernetes`. */
export function serviceAddress(serviceSubnet: string, nth = 1): string {
  const cidr = parseCidr(serviceSubnet.split(',')[0] ?? '');
  if (!cidr) throw new Error(`networking.serviceSubnet ${serviceSubnet} is not an address range`);
  return formatIp(cidr.version, cidr.first + BigInt(nth));
}

/** Host of `host:port`. */
const hostOf = (endpoint: string): string => endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

/** The certificate that kubeadm makes for an API server. Dated by this host's clock, by which clients judge it, not by the simulator's. */
export function servingCertificate(
  ca: KeyedCertificate,
  c: ClusterConfiguration,
  machine: { nodeName: string; address: string },
): Promise<KeyedCertificate> {
  const domain = c.networking.dnsDomain;
  const names = new Set([
    ...['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${domain}`],
    machine.nodeName,
    machine.address,
    serviceAddress(c.networking.serviceSubnet),
    hostOf(c.controlPlaneEndpoint),
    ...c.apiServer.certSANs,
  ]);
  names.delete('');
  const isIp = (n: string): boolean => parseIp(n) !== undefined;
  return issue(ca, {
    commonName: 'kube-apiserver',
    usages: ['server'],
    dnsNames: [...names].filter((n) => !isIp(n)),
    ipAddresses: [...names].filter(isIp),
    seconds: YEAR_SECONDS,
  });
}
