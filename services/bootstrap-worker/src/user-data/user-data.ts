import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** What a machine must know to check in. */
export interface CheckInFile {
  /** `https://host:port` of the check-in server as this machine reaches it. */
  url: string;
  /** PEM of the CA that vouches for it. */
  caCertificate: string;
  /** Good once, for this machine, for minutes. The only secret. */
  ticket: string;
}

/** OpenStack takes 65,535 bytes, after base64. */
export const USER_DATA_MAX_BYTES = Math.floor((65_535 * 3) / 4);

const UNIT = `[Unit]
Description=Joins this machine to its Kubernetes cluster (Shoto)
Wants=network-online.target
After=network-online.target containerd.service
ConditionPathExists=!/var/lib/shoto/joined

[Service]
Type=exec
ExecStart=/usr/local/sbin/shoto-machine
Restart=on-failure
RestartSec=10

[Install]
WantedBy=multi-user.target
`;

const indent = (text: string): string =>
  text
    .trimEnd()
    .split('\n')
    .map((l) => `    ${l}`.trimEnd())
    .join('\n');

let packed: string | undefined;

/** The machine's program, packed: a third of its size, and it goes with every server that is made. */
function agent(): string {
  packed ??= gzipSync(readFileSync(new URL('../../agent/shoto-machine.py', import.meta.url)), { level: 9 }).toString(
    'base64',
  );
  return packed;
}

/**
 * The user-data of a machine: a cloud-config with the check-in file, the machine's program and a unit that starts it again after a
 * reboot. The same text for the same input.
 */
export const userData = (file: CheckInFile): string => `#cloud-config
write_files:
- path: /etc/shoto/check-in.json
  permissions: '0600'
  content: |
${indent(JSON.stringify({ version: 1, ...file }, null, 1))}
- path: /etc/systemd/system/shoto-machine.service
  permissions: '0644'
  content: |
${indent(UNIT)}
- path: /usr/local/sbin/shoto-machine
  permissions: '0755'
  encoding: gz+b64
  content: ${agent()}
runcmd:
- [ /usr/local/sbin/shoto-machine, --enable ]
`;
