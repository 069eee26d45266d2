import { sumOf } from './processes.ts';
import { round } from './statistics.ts';
import type { Window } from './window.ts';

/** Of a group of processes. */
export type Groups = Record<'services' | 'simulator' | 'redis' | 'kubeApiserver' | 'etcd', number>;

const isService = (name: string): boolean => name.startsWith('services/');
/** Whether a process is ours: a service, or Redis. */
export const isOurs = (name: string): boolean => isService(name) || name === 'redis';
/** Whether a process serves the management API. */
export const isApiServer = (name: string): boolean => name === 'kubeApiserver' || name === 'etcd';

/** All writes of a window. Leases count only as far as services wrote them: the API server renews one of its own. */
export const writesByUs = (w: Window): number =>
  sumOf(w.counts.apiWrites, (r) => r !== 'leases') + sumOf(w.counts.ownWrites, (n) => n.endsWith(' leases'));

/** Sums of the processes by group. */
export const groups = (of: Record<string, number>): Groups => ({
  services: round(sumOf(of, isService)),
  simulator: round(of.simulator ?? 0),
  redis: round(of.redis ?? 0),
  kubeApiserver: round(of.kubeApiserver ?? 0),
  etcd: round(of.etcd ?? 0),
});
