import { expectThat, inside, machinesOf, type Scene } from './scene.ts';

/** Prints the machine's user-data, as the metadata service gives it. */
export const READ_USER_DATA =
  'import urllib.request;print(urllib.request.urlopen("http://169.254.169.254/openstack/latest/user_data",timeout=10).read().decode())';

/** From inside each machine: the user-data holds no token, key or password but the ticket. */
export async function userDataIsClean(scene: Scene): Promise<void> {
  const { lab, say } = scene;
  if (!lab) return say('user-data is looked at from inside only in the lab');
  const machines = await machinesOf(scene);
  for (const m of machines) {
    const { stdout } = await inside(lab, m, ['python3', '-c', READ_USER_DATA]);
    const found = secretsIn(stdout);
    expectThat(stdout.includes('check-in.json'), `${m.metadata.name}: its user-data could not be read from inside`);
    expectThat(found.length === 0, `${m.metadata.name}: its user-data holds ${found.join(', ')}`);
  }
  say(`user-data of ${machines.length} machines, read from inside: no key, token or password but the ticket`);
}

/** Names of secrets that a text seems to hold. */
function secretsIn(userData: string): string[] {
  const patterns: [string, RegExp][] = [
    ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----|client-key-data/],
    ['a bootstrap token', /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/],
    ['a certificate key', /certificateKey/],
    ['a password', /"?password"?\s*[:=]\s*["']?[^\s"']+/i],
    ['a JSON web token', /eyJ[\w-]{10,}\.[\w-]{10,}/],
  ];
  return patterns.filter(([, pattern]) => pattern.test(userData)).map(([name]) => name);
}
