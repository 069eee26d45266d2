import { type ClusterScene, expectThat, inside, machinesOf } from '../scene.ts';

/** The driver of upstream lists all from the beginning where a token comes without a limit, of whatever kind the token is. */
const NOT_IN_THE_DRIVER = 'ListVolumes should fail when an invalid starting_token is passed';

// It waits for no volume to be gone, so what is counted before and after may count one that is on its way: hence the attempts.
const SCRIPT = `
set -e
mkdir -p /run/sanity
cd /run/sanity
cat > cloud.conf
cinder-csi-plugin --endpoint=unix:///run/sanity/csi.sock --cloud-config=cloud.conf --with-topology=false > driver.log 2>&1 &
trap "kill $!; rm -rf /run/sanity" EXIT
for _ in $(seq 50); do [ -S csi.sock ] && break; sleep 0.1; done
csi-sanity --csi.endpoint=/run/sanity/csi.sock --csi.mountdir=/run/sanity/mount --csi.stagingdir=/run/sanity/staging --ginkgo.no-color \\
  --ginkgo.flake-attempts=3 --ginkgo.skip='${NOT_IN_THE_DRIVER}' 2>&1
`;

/** The driver does all that CSI asks of one, on a machine, with the credential of the cluster. */
export async function driverIsSane(scene: ClusterScene): Promise<void> {
  expectThat(scene.lab !== undefined, 'machines are entered: in the lab only');
  const worker = (await machinesOf(scene)).find((m) => m.spec.pool === 'default');
  expectThat(worker !== undefined, 'there is no worker');
  const secret = await scene.kubectl([
    '-n',
    'kube-system',
    'get',
    'secret',
    'csi-cinder-cloud-config',
    '-o',
    'jsonpath={.data.cloud\\.conf}',
  ]);
  const { stdout, stderr, exitCode } = await inside(
    scene.lab,
    worker,
    ['bash', '-c', SCRIPT],
    Buffer.from(secret, 'base64').toString(),
  );
  const tally = /Ran \d+ of \d+ Specs.*\n.*Passed.*$/m.exec(stdout)?.[0].replace(/\s+/g, ' ');
  expectThat(
    exitCode === 0 && tally !== undefined,
    `csi-sanity ended with ${exitCode}:\n${stdout.slice(-6000)}${stderr}`,
  );
  scene.say(`csi-sanity: ${tally}`);
}
