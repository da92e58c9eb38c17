import { lookup } from 'node:dns/promises';
import type { ServeOptions } from '../../config/load-serve-config.ts';
import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import { ADMIN_LIMITS } from '../../http-api/limits.ts';
import type { Logger } from '../../observability/logger.ts';
import { systemClock } from '../../time/clock.ts';
import { packageVersion } from '../package-version.ts';
import { exitOnUnforeseen, shutdownSignal } from '../service/end-of-service.ts';
import { listenOn } from '../service/listen.ts';
import { planOrExplain } from '../service/plan-or-explain.ts';
import type { Terminal } from '../terminal.ts';
import { type BuildOptions, buildServe, type ServeParts } from './build-serve.ts';
import { endOnSignal } from './end-on-signal.ts';
import { followFiles } from './follow-files.ts';
import { HttpServer } from './http-server.ts';
import { identityWarnings } from './identity-warnings.ts';
import { openLog } from './open-log.ts';
import { describePlan, planServe, type ServePlan } from './plan-serve.ts';

/** Exit codes of `kerbridge serve`, for scripts. */
export const SERVE_EXIT = { done: 0, failed: 1, configuration: 2 } as const;

export interface RunOptions extends ServeOptions {
  readonly checkConfig?: boolean;
}

/** For programs of tests; the command line has none. */
export type ServeHooks = Pick<BuildOptions, 'onLifeStep'>;

export async function runServe(
  { checkConfig = false, ...options }: RunOptions,
  terminal: Terminal,
  hooks: ServeHooks = {},
): Promise<void> {
  const stopEnding = endOnSignal(process, SERVE_EXIT.done);
  const plan = await planOrExplain('serve', () => planServe(options, lookupAddresses, systemClock), terminal);
  // Those of `serve` are there within the same turn of the event loop.
  stopEnding();
  if (plan === undefined) {
    terminal.exitWith(SERVE_EXIT.configuration);
  } else if (checkConfig) {
    terminal.out(`${describePlan(plan).join('\n')}\n`);
    plan.kubernetes.close();
    plan.files.stop();
  } else {
    await serve(plan, hooks);
  }
}

/** Serves until a signal comes, then ends the process. */
async function serve(plan: ServePlan, { onLifeStep }: ServeHooks): Promise<void> {
  const { config } = plan;
  const clock = systemClock;
  const { logger, output } = openLog({ descriptor: 1, level: config.logLevel, clock });
  process.on('exit', () => output.flush());
  exitOnUnforeseen(logger);
  const version = packageVersion();
  const asked = shutdownSignal(logger);

  const parts = await buildServe({ plan, logger, clock, version, environment: process.env, onLifeStep });
  output.countDropped((lines) => parts.metrics.logLinesDropped.inc(lines));
  for (const { config: cluster, warnings } of plan.clusters) {
    for (const warning of warnings)
      logger.warn('Hadoop configuration is odd', { cluster: cluster.name, warning });
  }
  for (const warning of identityWarnings(config.identity))
    logger.warn('Identity is lax or lacking', { warning });
  const { refusals } = parts;
  const { tls } = plan.files;
  const api = new HttpServer({
    listener: parts.api,
    refusals,
    trustedProxies: config.listen.trustedProxies,
    ...(tls === undefined ? {} : { tls: { pair: tls.current } }),
  });
  followFiles(plan, { api, metrics: parts.metrics, logger });
  await startOrExit(parts, logger);
  const admin = new HttpServer({ listener: parts.admin, refusals, limits: ADMIN_LIMITS });
  const listeners = [
    { server: admin, name: 'admin', key: 'admin', at: config.admin },
    { server: api, name: 'api', key: 'listen', at: config.listen },
  ] as const;
  if (!(await listenOn(listeners, { logger, version }))) {
    await parts.close();
    process.exit(SERVE_EXIT.failed);
  }
  void parts.readiness.refresh();

  const signal = await asked;
  const { shutdownDrainPeriodMs: drainPeriodMs, shutdownGracePeriodMs: gracePeriodMs } = config;
  logger.info('Shutting down', { signal, drainPeriodMs, gracePeriodMs });
  // Readiness first; the admin port goes on saying "shutting down" until the requests under way are answered.
  parts.readiness.startShutdown();
  // New connections come until every node knows that we are not ready: refusing them would be an error to callers.
  api.startDraining();
  await clock.sleep(drainPeriodMs);
  const cutOff = await api.stop(gracePeriodMs, clock);
  if (cutOff > 0) logger.warn('Requests cut off at the end of the grace period', { requests: cutOff });
  await parts.close();
  await admin.stop(0, clock);
  logger.info('Shut down', {});
  process.exit(SERVE_EXIT.done);
}

/** Nothing can be decided that can't be audited: a wrong path is found now and not by the first pod. */
async function startOrExit(parts: ServeParts, logger: Logger): Promise<void> {
  try {
    await parts.start();
  } catch (error) {
    logger.error('Cannot write the audit', { key: 'audit.file', error });
    await parts.close();
    process.exit(SERVE_EXIT.failed);
  }
}

const lookupAddresses: LookupAddresses = async (host) => {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
};
