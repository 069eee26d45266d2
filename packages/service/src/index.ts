export { type Clock, systemClock } from './clock.ts';
export { address, ConfigError, commonConfig, loadConfig } from './config.ts';
export { answerJson, answerProblem, HttpProblem, readJson } from './http.ts';
export { type InternalServer, serveInternal } from './internal-server.ts';
export { createLogger, type Logger } from './logger.ts';
export { createMetrics, type Registry } from './metrics.ts';
export { type OpsServer, type Problem, startOpsServer } from './ops-server.ts';
export { type ProcessLike, runService, type ServiceContext } from './run.ts';
