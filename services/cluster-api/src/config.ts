import { address, commonConfig } from '@shoto/service';
import { z } from 'zod';

/** The environment of cluster-api. */
export const configSchema = z.object({
  ...commonConfig,
  SHOTO_INTERNAL_CA_FILE: z.string().min(1).describe('Set it to the PEM file of the CA that vouches for the services'),
  SHOTO_INTERNAL_CERT_FILE: z.string().min(1).describe("Set it to the PEM file of this service's certificate"),
  SHOTO_INTERNAL_KEY_FILE: z.string().min(1).describe("Set it to the PEM file of this service's key"),
  SHOTO_API_ADDRESS: address.prefault('127.0.0.1:8080').describe('Where the REST API listens, host:port'),
  SHOTO_API_TLS_CERT_FILE: z.string().default('').describe('PEM certificate of the REST API; plain HTTP without it'),
  SHOTO_API_TLS_KEY_FILE: z.string().default('').describe('PEM key of that certificate'),
  SHOTO_WEBHOOK_ADDRESS: address
    .optional()
    .describe('Where the admission webhook listens (TLS), host:port; none without it'),
  SHOTO_TOKENS_FILE: z
    .string()
    .min(1)
    .describe('Set it to a file of tokens, one a line: token,user,group|group,expiry (RFC 3339, or empty for never)'),
  SHOTO_BOOTSTRAP_URL: z
    .url({ protocol: /^https$/ })
    .describe("Set it to the https URL of the bootstrap-worker's internal API"),
  SHOTO_PROVISIONER_URL: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe(
      "The https URL of the provisioner's internal API; without it nobody is told which machines a change touches",
    ),
});
