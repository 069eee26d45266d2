import type { Machine, Region } from '@shoto/api';
import { LABELS } from '@shoto/api';

/** Labels in the kubernetes.io domains that a kubelet may put on its own node (NodeRestriction admission). */
const OWN = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
]);

const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Whether a kubelet may set this label on its own node; the others are set by us, once it has joined. */
export function isKubeletLabel(key: string): boolean {
  const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  const under = (d: string): boolean => domain === d || domain.endsWith(`.${d}`);
  if (!under('kubernetes.io') && !under('k8s.io')) return true;
  if (under('node-restriction.kubernetes.io')) return false;
  return OWN.has(key) || under('kubelet.kubernetes.io') || under('node.kubernetes.io');
}

/**
 * All labels that a Machine's node shall have: where it stands, its pool, and what its owner asked for (which wins).
 * A zone whose name cannot be a label's value is left out.
 */
export function nodeLabels(machine: Machine): Record<string, string> {
  const zone = machine.status?.server.zone;
  const own: Record<string, string> = {
    [LABELS.pool]: machine.spec.pool,
    'topology.kubernetes.io/region': machine.spec.region,
    ...(zone && LABEL_VALUE.test(zone) ? { 'topology.kubernetes.io/zone': zone } : {}),
  };
  return { ...own, ...machine.spec.labels };
}

/** `openstack:///<server id>`, as the OpenStack cloud controller writes it where a region has no name. */
export const providerId = (serverId: string): string => `openstack:///${serverId}`;

/** Host of `host:port`; IPv6 without its brackets. */
export const hostOf = (hostPort: string): string =>
  hostPort.slice(0, hostPort.lastIndexOf(':')).replace(/^\[|\]$/g, '');

/** Hosts of the check-in URLs of all regions, each once, sorted. */
export const checkInHosts = (regions: readonly Pick<Region, 'spec'>[]): string[] =>
  [...new Set(regions.map((r) => new URL(r.spec.checkIn.url).hostname.replace(/^\[|\]$/g, '')))].sort();
