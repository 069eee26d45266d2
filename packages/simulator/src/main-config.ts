import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError, check, openStackConfigSchema } from './config.ts';

const readable = z.string().refine(isReadable, { error: 'is not a file that can be read' });

/** The management cluster's Kubernetes API. */
const managementSchema = z.strictObject({
  listen: z
    .strictObject({ address: z.string().default('127.0.0.1'), port: z.number().int().min(0).max(65535).default(0) })
    .prefault({}),
  dataDir: z.string().min(1).describe('Where its objects are kept; made if it is not there.'),
  certFile: readable.describe('PEM: the certificate that it serves with, and its chain.'),
  keyFile: readable.describe('PEM: the key of that certificate.'),
  tokensFile: readable.describe('Who may come in: lines token,user,uid,"group,group" as --token-auth-file has them.'),
  version: z
    .string()
    .regex(/^v\d+\.\d+\.\d+$/)
    .default('v1.35.4'),
});

/** An OCI registry. */
const registrySchema = z
  .strictObject({
    listen: z
      .strictObject({ address: z.string().default('127.0.0.1'), port: z.number().int().min(0).max(65535).default(0) })
      .prefault({}),
    dataDir: z.string().min(1).optional().describe('Where contents are kept; in memory where absent.'),
    users: z
      .array(z.strictObject({ name: z.string().regex(/^[^:]+$/), password: z.string().min(1) }))
      .default([])
      .describe('Who may come in, by basic authentication; without any everybody may.'),
    referrers: z.boolean().default(true).describe('Whether the referrers API of version 1.1 is served.'),
    certFile: readable.optional().describe('PEM: the certificate that it serves with; plain HTTP where absent.'),
    keyFile: readable.optional().describe('PEM: the key of that certificate.'),
  })
  .refine((r) => (r.certFile === undefined) === (r.keyFile === undefined), {
    error: 'certFile and keyFile go together',
  });

/** What the simulator is told by its configuration file. */
const simulatorConfigSchema = z.strictObject({
  openstack: openStackConfigSchema.prefault({}),
  management: managementSchema.optional(),
  registry: registrySchema.optional(),
  machines: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('Whether machines run at all; without them servers are only entries, as with a fake driver.'),
    })
    .prefault({}),
});

/** The configuration, complete. */
export type SimulatorConfig = z.infer<typeof simulatorConfigSchema>;

/** Reads a configuration file. @throws {ConfigError} with all problems at once */
export function readSimulatorConfig(file: string): SimulatorConfig {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new ConfigError(file, [`(root): cannot be read as YAML: ${why}`]);
  }
  return check(simulatorConfigSchema, value ?? {}, file);
}

/** One line of a token file. */
interface StaticToken {
  token: string;
  user: string;
  uid: string;
  groups: string[];
}

/** Reads kube-apiserver's `--token-auth-file`: token,user,uid,"group,group". @throws {ConfigError} with the lines that are wrong */
export function readTokens(file: string): StaticToken[] {
  const problems: string[] = [];
  const tokens: StaticToken[] = [];
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((line, i) => {
      if (line.trim() === '' || line.startsWith('#')) return;
      const [token = '', user = '', uid = '', ...groups] = (line.match(/"[^"]*"|[^,]+|(?<=,)(?=,|$)/g) ?? []).map((f) =>
        f.trim().replace(/^"(.*)"$/, '$1'),
      );
      // Never the line itself: it holds a token.
      if (!token || !user || !uid) problems.push(`line ${i + 1}: wants token,user,uid,"group,group"`);
      else tokens.push({ token, user, uid, groups: groups.flatMap((g) => g.split(',')).filter((g) => g !== '') });
    });
  if (problems.length > 0) throw new ConfigError(file, problems);
  return tokens;
}

function isReadable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
