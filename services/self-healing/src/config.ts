import { commonConfig } from '@shoto/service';
import { z } from 'zod';
import type { Settings } from './settings.ts';

const minutes = (byDefault: number) => z.coerce.number().positive().max(1440).default(byDefault);

/** The environment of self-healing. */
export const configSchema = z.object({
  ...commonConfig,
  SHOTO_CONCURRENCY: z.coerce.number().int().min(1).max(500).default(50).describe('Passes at once, for each region'),
  SHOTO_HEALING_SILENT_MINUTES: minutes(5).describe('How long a node may be silent, missing or not ready, in minutes'),
  SHOTO_HEALING_JOIN_MINUTES: minutes(15).describe("How long a machine may take from its server's start to its join"),
  SHOTO_HEALING_PRESSURE_MINUTES: minutes(10).describe('How long disk, memory or PID pressure may last'),
  SHOTO_HEALING_BROKEN_MINUTES: minutes(1).describe('How long a read-only file system or a hanging kernel may last'),
  SHOTO_HEALING_REBOOT_MINUTES: minutes(5).describe('How long a soft reboot is given to help'),
  SHOTO_HEALING_HARD_REBOOT_MINUTES: minutes(10).describe('How long a hard reboot is given to help'),
  SHOTO_HEALING_STUCK_MINUTES: minutes(10).describe('After this an order that was not carried out is said to be stuck'),
  SHOTO_HEALING_DECAY_MINUTES: minutes(60).describe(
    'After so long in good health the ladder starts at its lowest rung',
  ),
  SHOTO_HEALING_COOLING_MINUTES: minutes(10).describe('Calm after a storm before orders go on'),
  SHOTO_HEALING_SHARE_PERCENT: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(40)
    .describe('Above this share of sick machines nothing is ordered; 1 to 100'),
  SHOTO_HEALING_SETTLE_SECONDS: z.coerce
    .number()
    .min(0)
    .max(600)
    .default(30)
    .describe('How old a sign must be that is acted on at once'),
  SHOTO_HEALING_OBSERVE_SECONDS: z.coerce
    .number()
    .min(0)
    .max(600)
    .default(60)
    .describe("Pause between two full observations of a cluster's nodes, in seconds"),
});

/** The environment's times and limits of healing. */
export function settingsOf(c: ReturnType<typeof configSchema.parse>): Settings {
  const ms = (minutes: number): number => Math.round(minutes * 60_000);
  return {
    silentMs: ms(c.SHOTO_HEALING_SILENT_MINUTES),
    joinMs: ms(c.SHOTO_HEALING_JOIN_MINUTES),
    pressureMs: ms(c.SHOTO_HEALING_PRESSURE_MINUTES),
    brokenMs: ms(c.SHOTO_HEALING_BROKEN_MINUTES),
    settleMs: c.SHOTO_HEALING_SETTLE_SECONDS * 1000,
    helps: { Reboot: ms(c.SHOTO_HEALING_REBOOT_MINUTES), HardReboot: ms(c.SHOTO_HEALING_HARD_REBOOT_MINUTES) },
    stuckMs: ms(c.SHOTO_HEALING_STUCK_MINUTES),
    decayMs: ms(c.SHOTO_HEALING_DECAY_MINUTES),
    observeMs: c.SHOTO_HEALING_OBSERVE_SECONDS * 1000,
    coolingMs: ms(c.SHOTO_HEALING_COOLING_MINUTES),
    share: c.SHOTO_HEALING_SHARE_PERCENT / 100,
    togetherMs: 60 * 60_000,
  };
}
