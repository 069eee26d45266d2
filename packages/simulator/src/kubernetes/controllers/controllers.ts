import type { Core } from '../server-core.ts';
import type { Controller } from './controller.ts';
import { CrdCleaner } from './crd-cleaner.ts';
import { EventExpiry } from './event-expiry.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { NamespaceController } from './namespaces.ts';
import { RoleAggregation } from './role-aggregation.ts';

/**
 * What kube-controller-manager does that no cluster can be without: garbage collection, namespaces (their end, service account and root CA), the end
 * of CustomResourceDefinitions, and of events after an hour.
 */
export class Controllers {
  private readonly controllers: Controller[];
  private readonly expiry: EventExpiry;
  private readonly unlisten: () => void;
  private scheduled = false;
  private stopped = false;

  constructor(core: Core, rootCa: string | undefined) {
    this.expiry = new EventExpiry(core);
    this.controllers = [
      new NamespaceController(core, rootCa),
      new GarbageCollector(core),
      new CrdCleaner(core),
      new RoleAggregation(core),
    ];
    this.unlisten = core.store.listenToAll((table, change) => {
      for (const c of this.controllers) c.note(table, change);
      this.schedule();
    });
    this.schedule();
  }

  /** Ends all work and timers. */
  stop(): void {
    this.stopped = true;
    this.unlisten();
    this.expiry.stop();
  }

  // Later and not at once: a write inside a listener would overtake the change that caused it.
  private schedule(): void {
    if (this.scheduled || this.stopped) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (this.stopped) return;
      for (const c of this.controllers) if (c.drain()) this.schedule();
    });
  }
}
