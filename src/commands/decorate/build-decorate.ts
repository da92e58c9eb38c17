import type { RequestListener } from 'node:http';
import { hostname } from 'node:os';
import { createGuard, createMutation, createValidation } from '../../admission/decide.ts';
import type { DecoratorParts, StampKeysNow } from '../../admission/decorator-parts.ts';
import { createRequesterMapper } from '../../admission/requester/map-requester.ts';
import type { VerifyPodStamp } from '../../admission/requester/requester.ts';
import { createTemplateFinder } from '../../admission/templates/digested-templates.ts';
import { createAdmin } from '../../http-api/create-admin.ts';
import { type Dependency, Readiness } from '../../http-api/readiness.ts';
import { Refusals } from '../../http-api/refusals.ts';
import { createStampJudge } from '../../identity/judge-pod-stamp.ts';
import { publicKeysOf, type StampPrivateKeys } from '../../identity/stamps/stamp-keys.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { readOwnNamespace } from '../../kubernetes/own-namespace.ts';
import { auditDescriptor, auditFile } from '../../observability/audit-destination.ts';
import { createAuditStream } from '../../observability/audit-stream.ts';
import type { Logger } from '../../observability/logger.ts';
import { createMetrics, type Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import type { TlsCertificateEvent, TlsPair } from '../serve/tls-certificate.ts';
import { auditOnly } from './audit-only.ts';
import { createWebhook } from './create-webhook.ts';
import { issuer } from './issue-certificate.ts';
import { logOwnCaEvent } from './log-own-ca-event.ts';
import { OwnCa } from './own-ca.ts';
import { CERTIFICATE_LIVES } from './plan-certificates.ts';
import type { DecoratePlan } from './plan-decorate.ts';
import { randomName } from './random-name.ts';
import { STAMP_KEYS_KEY, STAMP_KEYS_TYPE, StampKeySecret } from './stamp-key-secret.ts';
import { REVIEW_QUOTA } from './webhook-limits.ts';

const CHECK_TIMEOUT_MS = 10_000;
const OWN_CA_TYPE = 'kerbridge.dev/own-ca';
const OWN_CA_KEY = 'own-ca.json';
const LABELS = { 'app.kubernetes.io/managed-by': 'kerbridge' };

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

/** What of the Kubernetes API `decorate` uses. */
export type DecorateKubernetes = Pick<
  KubernetesApi,
  | 'getPod'
  | 'createObjectReader'
  | 'createOptedInNamespaces'
  | 'reviewAccess'
  | 'createSecretRecords'
  | 'getConfigMap'
  | 'createConfigMap'
  | 'patchConfigMap'
  | 'putCaBundle'
  | 'close'
>;

export type BuildPlan = Omit<DecoratePlan, 'kubernetes'> & { readonly kubernetes: DecorateKubernetes };

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
  const parts = decoratorParts(plan, { keys, clock });
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

/** What the decisions ask, by that plan. */
export function decoratorParts(
  plan: BuildPlan,
  { keys, clock }: { readonly keys: () => StampKeysNow | undefined; readonly clock: Clock },
): DecoratorParts {
  const { config, kubernetes } = plan;
  const { annotation } = config.identity;
  const verifyPodStamp = createPodStampVerifier(annotation, keys);
  return {
    annotation,
    keys,
    isOptedIn: kubernetes.createOptedInNamespaces({ ...config.optIn, clock }),
    mapRequester: createRequesterMapper({
      requesterRules: plan.requesterRules,
      identityRules: plan.identityRules,
      denyUsers: plan.denyUsers,
      judgeUserName: plan.judgeUserName,
      annotation,
      getPod: kubernetes.getPod,
      verifyPodStamp,
    }),
    verifyPodStamp,
    readObject: kubernetes.createObjectReader({ clock }),
    findTemplates: createTemplateFinder(() => plan.templates),
    mayKeepIdentity: async ({ userInfo, resource, namespace, name }, signal) => {
      const { username, uid, groups, extra } = userInfo;
      const user = { username, uid: uid ?? '', groups, extra };
      const access = {
        verb: 'keep-identity',
        group: resource.group,
        resource: resource.resource,
        ...(namespace === undefined ? {} : { namespace }),
        ...(name === undefined ? {} : { name }),
      };
      return (await kubernetes.reviewAccess(user, access, { signal })).allowed;
    },
    isExempt: (requester, from, namespace) => plan.requesterRules().isExempt(requester, from, namespace),
    guard: config.guard,
    injection: config.injection,
    clock,
    randomName,
  };
}

function createPodStampVerifier(annotation: string, keys: () => StampKeysNow | undefined): VerifyPodStamp {
  const judge = createStampJudge({ requireSignature: true, stampKeys: () => keys()?.all });
  return (pod) => {
    const user = Object.hasOwn(pod.annotations, annotation) ? pod.annotations[annotation] : undefined;
    if (user === undefined || user === '') return { outcome: 'refused', reason: 'no-stamp' };
    const verdict = judge(pod, user);
    switch (verdict.outcome) {
      case 'believed':
        return { outcome: 'verified', user };
      case 'refused':
        return { outcome: 'refused', reason: verdict.reason };
      case 'could-not-check':
        return { outcome: 'could-not-check', dependency: 'signing-keys', detail: verdict.detail };
    }
  };
}

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

interface Opening {
  readonly plan: BuildPlan;
  readonly logger: Logger;
  readonly clock: Clock;
}

function openKeySecret({ plan, logger, clock }: Opening): StampKeySecret | undefined {
  const { signing } = plan.config;
  if (signing.from !== 'secret') return undefined;
  const namespace = signing.secret.namespace ?? ownNamespace();
  return new StampKeySecret({
    secrets: plan.kubernetes.createSecretRecords({
      namespace,
      type: STAMP_KEYS_TYPE,
      key: STAMP_KEYS_KEY,
      labels: LABELS,
    }),
    configMaps: plan.kubernetes,
    namespace,
    name: signing.secret.name,
    clock,
    onEvent: ({ event, ...fields }) => {
      if (event === 'failed') logger.warn('Signing keys cannot be read or published', fields);
      else logger.info('Signing keys', { event, ...fields });
    },
  });
}

async function openOwnCa({
  plan,
  logger,
  clock,
  metrics,
}: Opening & { readonly metrics: Metrics }): Promise<OwnCa> {
  const { tls } = plan.config;
  if (tls.mode !== 'own-ca') throw new Error('the certificate is in files');
  const { putCaBundle } = plan.kubernetes;
  return await OwnCa.open({
    secrets: plan.kubernetes.createSecretRecords({
      namespace: tls.secret.namespace ?? ownNamespace(),
      type: OWN_CA_TYPE,
      key: OWN_CA_KEY,
      labels: LABELS,
    }),
    secretName: tls.secret.name,
    putBundle: async (caBundle, options) => {
      const outcomes = [
        await putCaBundle(
          { kind: 'MutatingWebhookConfiguration', name: tls.mutatingWebhookConfiguration },
          caBundle,
          options,
        ),
        await putCaBundle(
          { kind: 'ValidatingWebhookConfiguration', name: tls.validatingWebhookConfiguration },
          caBundle,
          options,
        ),
      ];
      return outcomes.includes('written') ? 'written' : 'unchanged';
    },
    policy: { ...CERTIFICATE_LIVES, names: tls.dnsNames },
    issuer,
    clock,
    onEvent: (event) => logOwnCaEvent(event, { logger, metrics, secretName: tls.secret.name }),
  });
}

function ofFiles({ files: { tls } }: BuildPlan): ServingPair {
  if (tls === undefined) throw new Error('there is no certificate');
  return { current: tls.current, warning: tls.warning, follow: (listener) => tls.follow(listener) };
}

function ownNamespace(): string {
  const own = readOwnNamespace();
  if (own === undefined)
    throw new Error('the namespace is not known outside a pod: name it in the configuration');
  return own;
}
