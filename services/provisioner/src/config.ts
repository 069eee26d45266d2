import { address, commonConfig } from '@shoto/service';
import { z } from 'zod';

const ms = (fallback: number) => z.coerce.number().int().min(1).default(fallback);

/** The environment of the provisioner. */
export const configSchema = z.object({
  ...commonConfig,
  SHOTO_INTERNAL_CA_FILE: z.string().min(1).describe('Set it to the PEM file of the CA that vouches for the services'),
  SHOTO_INTERNAL_CERT_FILE: z.string().min(1).describe("Set it to the PEM file of this service's certificate"),
  SHOTO_INTERNAL_KEY_FILE: z.string().min(1).describe("Set it to the PEM file of this service's key"),
  SHOTO_BOOTSTRAP_URL: z
    .url({ protocol: /^https$/ })
    .describe("Set it to the https URL of the bootstrap-worker's internal server"),
  SHOTO_PROVISIONER_ADDRESS: address
    .optional()
    .describe(
      'Where cluster-api asks for plans of changes and for what quotas leave (mutual TLS), host:port; not served where left out',
    ),
  SHOTO_INSTALLATION: z
    .string()
    .regex(/^[A-Za-z0-9-]{0,36}$/)
    .default('')
    .describe(
      'Name of this installation in tags of cloud objects, at most 36 letters, digits and dashes; the UID of the namespace kube-system where left out',
    ),
  SHOTO_CONCURRENCY: z.coerce.number().int().min(1).max(500).default(50).describe('Passes at once, for each region'),
  SHOTO_POLL_IDLE_MS: ms(60_000).describe('Pause between two lists of servers while none changes, in milliseconds'),
  SHOTO_SWEEP_MINUTES: z.coerce
    .number()
    .min(0)
    .default(30)
    .describe('How often things in the cloud that belong to nobody are looked for, in minutes; 0: never'),
});
