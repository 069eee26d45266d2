import type { Registry } from '@shoto/service';
import { Counter, Gauge } from 'prom-client';

/** What this service counts. */
export interface Metrics {
  /** An order was given. */
  ordered: (action: string, reason: string) => void;
  /** What ails a region's machines, and which brakes hold how many of them, as of its last pass. */
  region: (region: string, sick: ReadonlyMap<string, number>, held: ReadonlyMap<string, number>) => void;
}

/** Registers the metrics of this service. */
export function createServiceMetrics(registry: Registry | undefined): Metrics {
  const registers = registry ? [registry] : [];
  const orders = new Counter({
    name: 'shoto_healing_orders_total',
    help: 'Orders to reboot or replace a machine',
    labelNames: ['action', 'reason'],
    registers,
  });
  const sick = new Gauge({
    name: 'shoto_healing_sick',
    help: 'Machines that are sick, by what ails them',
    labelNames: ['region', 'reason'],
    registers,
  });
  const held = new Gauge({
    name: 'shoto_healing_held',
    help: 'Machines whose order a brake holds',
    labelNames: ['region', 'brake'],
    registers,
  });
  const told = new Map<string, { sick: Set<string>; held: Set<string> }>();
  return {
    ordered: (action, reason) => orders.inc({ action, reason }),
    region(region, sickNow, heldNow) {
      const before = told.get(region) ?? { sick: new Set(), held: new Set() };
      // What was told once is told to be none any more; a label that vanishes looks like a service that does.
      for (const reason of before.sick) sick.set({ region, reason }, sickNow.get(reason) ?? 0);
      for (const brake of before.held) held.set({ region, brake }, heldNow.get(brake) ?? 0);
      for (const [reason, n] of sickNow) sick.set({ region, reason }, n);
      for (const [brake, n] of heldNow) held.set({ region, brake }, n);
      told.set(region, {
        sick: new Set([...before.sick, ...sickNow.keys()]),
        held: new Set([...before.held, ...heldNow.keys()]),
      });
    },
  };
}
