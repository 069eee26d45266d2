import { commonConfig } from '@shoto/service';
import { z } from 'zod';

/** The environment of addon-manager. */
export const configSchema = z.object({
  ...commonConfig,
  SHOTO_BUNDLE_CACHE_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder in which contents of bundles are kept by digest; in memory only where absent'),
  SHOTO_CONCURRENCY: z.coerce.number().int().min(1).max(500).default(20).describe('Passes at once, for each region'),
});
