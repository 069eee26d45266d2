import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { $, type ProcessOutput } from 'zx';
import { Session } from './openstack-session.ts';

/** `fake`: the whole API, no guest behind it. `libvirt`: machines that boot. Both can be up at once. */
export type Profile = 'fake' | 'libvirt';

/** A running OpenStack of this machine. */
export interface OpenStackLab {
  profile: Profile;
  /** Everything of it lies here: configuration, logs, databases. */
  directory: string;
  /** clouds.yaml; clouds `lab` (application credential, project lab), `lab-password` (the same user), `admin`. */
  cloudsFile: string;
  /** Keystone, with `/v3`. */
  authUrl: string;
  region: string;
  projectId: string;
  applicationCredential: { id: string; secret: string };
  /** UUIDs by name: m1.tiny (256 MiB), m1.small (1 GiB, 5 GB), m1.medium (2 GiB, 10 GB), m1.large (8 GiB, 40 GB). */
  flavors: Record<string, string>;
  /** UUID of a tiny image that every machine of this profile boots from. */
  guestImageId: string;
  /** UUID of the network `public`, where routers have their gateway and floating IPs come from. */
  externalNetworkId: string;
  /** This host as machines reach it, in front of their router; undefined in the fake profile, which has no network. */
  hostAddress: string | undefined;
}

/** What of the lab is asked for; both default to true. Fixed at the first start, until `down(profile, { purge: true })`. */
export interface OpenStackOptions {
  octavia?: boolean;
  cinder?: boolean;
}

const here = import.meta.dirname;

/** The directory of a profile's lab: LAB_DIR, or /var/lib/openstack-lab with `-fake` for the fake one. */
export function labDirectory(profile: Profile, env: NodeJS.ProcessEnv = process.env): string {
  return env.LAB_DIR || `/var/lib/openstack-lab${profile === 'fake' ? '-fake' : ''}`;
}

/**
 * Installs and starts what is missing (minutes the first time, seconds when it runs already). Needs root.
 * Progress goes to stderr.
 *
 * @throws zx ProcessOutput when openstack-up fails; its last lines on stderr say which daemon and log
 */
export async function up(profile: Profile, options: OpenStackOptions = {}): Promise<OpenStackLab> {
  const flags = [
    ...(options.octavia === false ? [] : ['--octavia']),
    ...(options.cinder === false ? [] : ['--cinder']),
  ];
  await $({ stdio: ['ignore', process.stderr, process.stderr] })`${join(here, 'openstack-up')} ${profile} ${flags}`;
  const lab = await current(profile);
  if (!lab) throw new Error(`openstack-up ${profile} ended well, yet ${labDirectory(profile)}/lab.json is not there`);
  return lab;
}

/** Stops a lab; its databases and images stay unless `purge`. */
export async function down(profile: Profile, options: { purge?: boolean } = {}): Promise<void> {
  await $({
    stdio: ['ignore', process.stderr, process.stderr],
  })`${join(here, 'openstack-down')} ${profile} ${options.purge ? ['--purge'] : []}`;
}

/** The lab of a profile as its files describe it, or undefined when none was made. Does not look whether it runs. */
export async function current(profile: Profile): Promise<OpenStackLab | undefined> {
  const directory = labDirectory(profile);
  if (!existsSync(join(directory, 'initialised'))) return undefined;
  const file = JSON.parse(await readFile(join(directory, 'lab.json'), 'utf8')) as LabFile;
  return {
    profile: file.profile,
    directory,
    cloudsFile: join(directory, 'clouds.yaml'),
    authUrl: file.auth_url,
    region: file.region,
    projectId: file.project_id,
    applicationCredential: file.application_credential,
    flavors: file.flavors,
    guestImageId: file.image,
    externalNetworkId: file.external_network,
    hostAddress: file.host_address ?? undefined,
  };
}

/** lab.json, as seed/project.py writes it. */
interface LabFile {
  profile: Profile;
  auth_url: string;
  region: string;
  project_id: string;
  application_credential: { id: string; secret: string };
  flavors: Record<string, string>;
  image: string;
  external_network: string;
  host_address?: string | null;
}

/** What a command inside a machine said. */
export interface MachineOutput {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a command as root inside a machine of the libvirt profile (virt_type=lxc), from the host: no ssh, no network.
 *
 * @param serverId - Nova's UUID
 * @param input - what it reads
 * @returns the command's own exit code, whatever it is
 * @throws Error when Nova has no such server; exit code 69 when the machine does not run
 */
export async function inMachine(
  lab: OpenStackLab,
  serverId: string,
  command: string[],
  input = '',
): Promise<MachineOutput> {
  const session = await Session.open(lab.cloudsFile, 'admin');
  const { server } = (await session.json('compute', 'GET', `/servers/${serverId}`)) as {
    server: { 'OS-EXT-SRV-ATTR:instance_name': string };
  };
  const output: ProcessOutput = await $({
    quiet: true,
    nothrow: true,
    input,
  })`${join(here, 'lxc-exec')} ${server['OS-EXT-SRV-ATTR:instance_name']} ${command}`;
  return { exitCode: output.exitCode ?? 255, stdout: output.stdout, stderr: output.stderr };
}
