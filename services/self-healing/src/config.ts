import { commonConfig } from '@shoto/service';
import { z } from 'zod';

/** The environment of self-healing. */
export const configSchema = z.object({
  ...commonConfig,
  SHOTO_CONCURRENCY: z.coerce.number().int().min(1).max(500).default(50).describe('Passes at once, for each region'),
});
