import type { RequestListener } from 'node:http';
import { hostname } from 'node:os';
import { createGuard, createMutation, createValidation } from '../../admission/decide.ts';
import type { StampKeysNow } from '../../admission/decorator-parts.ts';
import { createAdmin } from '../../http-api/create-admin.ts';
import { type Dependency, Readiness } from '../../http-api/readiness.ts';
import { Refusals } from '../../http-api/refusals.ts';
import { publicKeysOf, type StampPrivateKeys } from '../../identity/stamps/stamp-keys.ts';
import { auditDescriptor, auditFile } from '../../observability/audit-destination.ts';
import { createAuditStream } from '../../observability/audit-stream.ts';
import type { Logger } from '../../observability/logger.ts';
import { createMetrics, type Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import type { TlsCertificateEvent, TlsPair } from '../serve/tls-certificate.ts';
import { auditOnly } from './audit-only.ts';
import { type BuildPlan, decoratorParts } from './build-parts.ts';
import { createWebhook } from './create-webhook.ts';
import { openKeySecret, openOwnCa } from './open-secrets.ts';
import type { OwnCa } from './own-ca.ts';
import { REVIEW_QUOTA } from './webhook-limits.ts';

const CHECK_TIMEOUT_MS = 10_000;

/** The certificate, wherever it comes from. */
export interface ServingPair {
  readonly current: TlsPair;
  /** What is wrong with it, and yet it is all there is. */
  readonly warning: string | undefined;
  /** One listener, which must not throw. */
  readonly follow: (listener: (event: TlsCertificateEvent) => void) => void;
}

export interface DecorateApp {
  readonly webhook: RequestListener;
  readonly admin: RequestListener;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly refusals: Refusals;
  /**
   * Resolves with the certificate, when the signing keys were looked for. Rejects if there is none, or if the audit can't
   * be written.
   */
  readonly start: () => Promise<ServingPair>;
  readonly close: () => Promise<void>;
}

export interface BuildDecorateOptions {
  readonly plan: BuildPlan;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly version: string;
}

/** Puts the parts together. */
export function buildDecorate({ plan, logger, clock, version }: BuildDecorateOptions): DecorateApp {
  const { config, kubernetes, files } = plan;
  const metrics = createMetrics({ version, processMetrics: true });
  const audit = createAuditStream({
    destination: config.audit.file === undefined ? auditDescriptor(2) : auditFile(config.audit.file, clock),
    clock,
    replica: hostname(),
    metrics,
  });
  metrics.auditBufferedBytes.observe(() => audit.bufferedBytes, {});
  const refusals = new Refusals({ metrics, logger, clock, writeAudit: audit.write });
  const keySecret = openKeySecret({ plan, logger, clock });
  const keys = rememberPublic(() => files.signingKeys?.current ?? keySecret?.current);
  const parts = decoratorParts(plan, { keys, clock, logger });
  const decide = {
    mutate: createMutation(parts),
    validate: config.auditOnly ? createGuard(parts) : createValidation(parts),
  };
  const suppose = (path: 'mutate' | 'validate') =>
    auditOnly(decide[path], ({ operation, resource, namespace, name, userInfo }, supposed) =>
      logger.info('Audit only: let through', {
        path,
        ...supposed,
        operation,
        resource: `${resource.resource}.${resource.group}`.replace(/\.$/, ''),
        namespace,
        name,
        requester: userInfo.username.slice(0, 256),
      }),
    );
  let ownCa: OwnCa | undefined;
  const readiness = new Readiness({
    dependencies: [
      { name: 'audit', required: 'always', check: () => audit.check() },
      ...(keySecret === undefined ? [] : [dependency('signing-keys', () => keySecret.check())]),
      ...(config.tls.mode === 'own-ca' ? [dependency('own-ca', async () => await ownCa?.check())] : []),
    ],
    clock,
    logger,
    metrics,
    checkTimeoutMs: CHECK_TIMEOUT_MS,
  });
  return {
    webhook: createWebhook({
      decide: config.auditOnly ? { mutate: suppose('mutate'), validate: suppose('validate') } : decide,
      writeAudit: audit.write,
      metrics,
      logger,
      clock,
      clientNames: config.tls.clients?.names,
      letAllThrough: config.auditOnly,
      limits: { ...REVIEW_QUOTA, reviews: config.limits.reviews },
    }),
    admin: createAdmin({ metrics, logger, readiness }),
    metrics,
    readiness,
    refusals,
    start: async () => {
      await audit.probe();
      await keySecret?.start();
      if (config.tls.mode === 'files') return ofFiles(plan);
      const opened = await openOwnCa({ plan, logger, clock, metrics });
      ownCa = opened;
      metrics.ownCaNotAfter.observe(() => opened.authorityNotAfter / 1_000, {});
      return {
        current: opened.current,
        warning: undefined,
        follow: (listener) => opened.follow((pair) => listener({ event: 'used', pair })),
      };
    },
    close: async () => {
      files.stop();
      await keySecret?.stop();
      await ownCa?.stop();
      kubernetes.close();
      refusals.flush();
      await audit.close();
    },
  };
}

/** What is wanted only to begin with: what is known then stays in use. */
const dependency = (name: string, check: () => Promise<void>): Dependency => ({
  name,
  required: 'until-first-success',
  check,
});

/** The same object while the keys are the same. */
function rememberPublic(current: () => StampPrivateKeys | undefined): () => StampKeysNow | undefined {
  let last: { readonly of: StampPrivateKeys; readonly now: StampKeysNow } | undefined;
  return () => {
    const of = current();
    if (of === undefined) return undefined;
    if (last?.of !== of) last = { of, now: { signing: of.keys[0], all: publicKeysOf(of) } };
    return last.now;
  };
}

function ofFiles({ files: { tls } }: BuildPlan): ServingPair {
  if (tls === undefined) throw new Error('there is no certificate');
  return { current: tls.current, warning: tls.warning, follow: (listener) => tls.follow(listener) };
}
