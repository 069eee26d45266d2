import { address, commonConfig, loadConfig } from '@shoto/service';
import { z } from 'zod';

const schema = z.object({
  ...commonConfig,
  SHOTO_INTERNAL_CA_FILE: z.string().min(1).describe('Set it to the PEM file of the CA that vouches for the services'),
  SHOTO_INTERNAL_CERT_FILE: z.string().min(1).describe("Set it to the PEM file of this service's certificate"),
  SHOTO_INTERNAL_KEY_FILE: z.string().min(1).describe("Set it to the PEM file of this service's key"),
  SHOTO_CHECKIN_ADDRESS: address.describe('Where machines check in, host:port; each Region names the URL of it'),
  SHOTO_BOOTSTRAP_ADDRESS: address.describe('Where other services ask for user-data and kubeconfigs, host:port'),
  SHOTO_CHECKIN_RATE: z.coerce
    .number()
    .positive()
    .default(200)
    .describe('Requests a second from one source address; a router in front of many machines is one source'),
  SHOTO_CHECKIN_BURST: z.coerce.number().positive().default(1000).describe('Requests at once from one source address'),
  SHOTO_BOOTSTRAP_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(10)
    .describe('Clusters, and machines, that are worked on at once'),
});

/** Configuration of this service, as it is read from the environment. */
export type Config = z.output<typeof schema>;

/** @throws {ConfigError} with every problem at once */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config =>
  loadConfig(schema, env, { service: 'bootstrap-worker' });
