import { readOwnNamespace } from '../../kubernetes/own-namespace.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import type { BuildPlan } from './build-parts.ts';
import { issuer } from './issue-certificate.ts';
import { logOwnCaEvent } from './log-own-ca-event.ts';
import { OwnCa } from './own-ca.ts';
import { CERTIFICATE_LIVES } from './plan-certificates.ts';
import { STAMP_KEYS_SECRETS, StampKeySecret } from './stamp-key-secret.ts';

const OWN_CA_TYPE = 'kerbridge.dev/own-ca';
const OWN_CA_KEY = 'own-ca.json';
const LABELS = { 'app.kubernetes.io/managed-by': 'kerbridge' };

interface Opening {
  readonly plan: BuildPlan;
  readonly logger: Logger;
  readonly clock: Clock;
}

export function openKeySecret({ plan, logger, clock }: Opening): StampKeySecret | undefined {
  const { signing } = plan.config;
  if (signing.from !== 'secret') return undefined;
  const namespace = signing.secret.namespace ?? ownNamespace();
  return new StampKeySecret({
    secrets: plan.kubernetes.createSecretRecords({ ...STAMP_KEYS_SECRETS, namespace }),
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

export async function openOwnCa({
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

function ownNamespace(): string {
  const own = readOwnNamespace();
  if (own === undefined)
    throw new Error('the namespace is not known outside a pod: name it in the configuration');
  return own;
}
