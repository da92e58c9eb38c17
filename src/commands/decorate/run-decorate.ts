import type { DecorateOptions } from '../../config/load-decorate-config.ts';
import type { Logger } from '../../observability/logger.ts';
import { systemClock } from '../../time/clock.ts';
import { packageVersion } from '../package-version.ts';
import { endOnSignal } from '../serve/end-on-signal.ts';
import { HttpServer } from '../serve/http-server.ts';
import { openLog } from '../serve/open-log.ts';
import { exitOnUnforeseen, shutdownSignal } from '../service/end-of-service.ts';
import { listenOn } from '../service/listen.ts';
import { planOrExplain } from '../service/plan-or-explain.ts';
import type { Terminal } from '../terminal.ts';
import { buildDecorate, type DecorateApp, type ServingPair } from './build-decorate.ts';
import { followDecorateFiles } from './follow-decorate-files.ts';
import { type DecoratePlan, describeDecoratePlan, planDecorate } from './plan-decorate.ts';
import { WEBHOOK_SERVER_LIMITS } from './webhook-limits.ts';

/** Exit codes of `kerbridge decorate`, for scripts. */
export const DECORATE_EXIT = { done: 0, failed: 1, configuration: 2 } as const;

export interface RunDecorateOptions extends DecorateOptions {
  readonly checkConfig?: boolean;
}

export async function runDecorate(
  { checkConfig = false, ...options }: RunDecorateOptions,
  terminal: Terminal,
): Promise<void> {
  const stopEnding = endOnSignal(process, DECORATE_EXIT.done);
  const plan = await planOrExplain('decorate', () => planDecorate(options, systemClock), terminal);
  // Those of the service are there within the same turn of the event loop.
  stopEnding();
  if (plan === undefined) {
    terminal.exitWith(DECORATE_EXIT.configuration);
  } else if (checkConfig) {
    terminal.out(`${describeDecoratePlan(plan).join('\n')}\n`);
    plan.kubernetes.close();
    plan.files.stop();
  } else {
    await decorate(plan);
  }
}

/** Answers until a signal comes, then ends the process. */
async function decorate(plan: DecoratePlan): Promise<void> {
  const { config } = plan;
  const clock = systemClock;
  const { logger, output } = openLog({ descriptor: 1, level: config.logLevel, clock });
  process.on('exit', () => output.flush());
  exitOnUnforeseen(logger);
  const version = packageVersion();
  const asked = shutdownSignal(logger);
  const app = buildDecorate({ plan, logger, clock, version });
  output.countDropped((lines) => app.metrics.logLinesDropped.inc(lines));
  for (const warning of plan.warnings) logger.warn('Configuration is odd', { warning });
  if (config.auditOnly) logger.warn('Audit only: nothing is changed or refused', {});

  const pair = await startOrExit(app, logger);
  const webhook = new HttpServer({
    listener: app.webhook,
    refusals: app.refusals,
    limits: WEBHOOK_SERVER_LIMITS,
    tls: { pair: pair.current, ...(plan.clientCa === undefined ? {} : { clientCa: plan.clientCa }) },
  });
  followDecorateFiles(plan, { pair, webhook, metrics: app.metrics, logger });
  const admin = new HttpServer({ listener: app.admin, refusals: app.refusals });
  const listeners = [
    { server: admin, name: 'admin', key: 'admin', at: config.admin },
    { server: webhook, name: 'webhook', key: 'listen', at: config.listen },
  ] as const;
  if (!(await listenOn(listeners, { logger, version }))) {
    await app.close();
    process.exit(DECORATE_EXIT.failed);
  }
  void app.readiness.refresh();

  const signal = await asked;
  const { shutdownDrainPeriodMs: drainPeriodMs, shutdownGracePeriodMs: gracePeriodMs } = config;
  logger.info('Shutting down', { signal, drainPeriodMs, gracePeriodMs });
  app.readiness.startShutdown();
  // The API server asks us until its Endpoints say otherwise: whom we refused, it would refuse.
  webhook.startDraining();
  await clock.sleep(drainPeriodMs);
  const cutOff = await webhook.stop(gracePeriodMs, clock);
  if (cutOff > 0) logger.warn('Reviews cut off at the end of the grace period', { reviews: cutOff });
  await app.close();
  await admin.stop(0, clock);
  logger.info('Shut down', {});
  process.exit(DECORATE_EXIT.done);
}

/** Without an audit or a certificate nothing can be answered: found now and not by the first pod. */
async function startOrExit(app: DecorateApp, logger: Logger): Promise<ServingPair> {
  try {
    return await app.start();
  } catch (error) {
    logger.error('Cannot start: there is no certificate, or the audit cannot be written', { error });
    await app.close();
    process.exit(DECORATE_EXIT.failed);
  }
}
