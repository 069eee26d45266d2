/**
 * The lab from a command line: `node e2e/lab/main.ts up libvirt`, `down fake --purge`, `node-image libvirt [v1.35.4] [--plain]`.
 */
import { ensureNodeImage } from './images.ts';
import { current, down, type Profile, up } from './openstack.ts';

const [command, profileName, ...rest] = process.argv.slice(2);
const usage = 'usage: main.ts up|down|node-image fake|libvirt [--purge] [--plain] [VERSION]';
if (profileName !== 'fake' && profileName !== 'libvirt') throw new Error(usage);
const profile: Profile = profileName;

if (command === 'up') {
  const { applicationCredential: _secret, ...lab } = await up(profile);
  console.log(JSON.stringify(lab, undefined, 2));
} else if (command === 'down') {
  await down(profile, { purge: rest.includes('--purge') });
} else if (command === 'node-image') {
  const lab = await current(profile);
  if (!lab) throw new Error(`no ${profile} lab here: run main.ts up ${profile} first`);
  const version = rest.find((word) => word.startsWith('v'));
  console.log(await ensureNodeImage(lab, version, rest.includes('--plain') ? 'plain' : 'node'));
} else throw new Error(usage);
