/** Times of healing, so that a benchmark does not wait for minutes; the order of things is the same. */
export const STORM_ENV = {
  SHOTO_HEALING_SILENT_MINUTES: '0.2',
  SHOTO_HEALING_REBOOT_MINUTES: '0.1',
  SHOTO_HEALING_HARD_REBOOT_MINUTES: '0.1',
  SHOTO_HEALING_COOLING_MINUTES: '1',
  SHOTO_HEALING_SETTLE_SECONDS: '5',
  SHOTO_HEALING_OBSERVE_SECONDS: '5',
};
