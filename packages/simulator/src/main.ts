/** The simulator as a program: `main.ts --config file.yaml`. */
import { parseArgs } from 'node:util';
import { ConfigError } from './config.ts';
import { readSimulatorConfig } from './main-config.ts';
import { startSimulator } from './simulator.ts';

const CONFIG_EXIT = 78;
const STOP_MS = 1500;

const line = (o: object): void => console.log(JSON.stringify({ time: new Date().toISOString(), ...o }));

try {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (!values.config) throw new ConfigError('the command line', ['--config: name the configuration file (YAML)']);
  const running = await startSimulator(readSimulatorConfig(values.config), (what) =>
    line({ level: 'warn', msg: what }),
  );
  const { openstack, management, registry, admin } = running;
  line({
    level: 'info',
    msg: 'ready',
    openstack,
    ...(management ? { management } : {}),
    ...(registry ? { registry } : {}),
    admin,
  });
  const stop = (): void => {
    // What hangs on purpose (faults) must not hold the end back.
    setTimeout(() => process.exit(0), STOP_MS).unref();
    running.close().then(
      () => process.exit(0),
      (error: Error) => {
        line({ level: 'error', msg: `cannot stop cleanly: ${error.message}` });
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  const problems = error instanceof ConfigError ? { problems: error.problems } : {};
  line({ level: 'error', msg: error instanceof Error ? error.message : String(error), ...problems });
  process.exitCode = error instanceof ConfigError ? CONFIG_EXIT : 1;
}
