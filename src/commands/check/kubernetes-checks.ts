import { hostname, networkInterfaces } from 'node:os';
import type { ServeConfig, ServeConfigSections } from '../../config/serve-config.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { readOwnNamespace } from '../../kubernetes/own-namespace.ts';
import { checkApiClock } from '../../preflight/check-api-clock.ts';
import type { Check } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { API_SERVER, checkApiServer } from '../../preflight/kubernetes/check-api-server.ts';
import { checkAudience } from '../../preflight/kubernetes/check-audience.ts';
import { checkOwnAddress, OWN_ADDRESS } from '../../preflight/kubernetes/check-own-address.ts';
import { checkPodSecurity, POD_SECURITY } from '../../preflight/kubernetes/check-pod-security.ts';
import { checkRevocations } from '../../preflight/kubernetes/check-revocations.ts';
import { checkRight, rightSubject } from '../../preflight/kubernetes/check-right.ts';
import { checkSigningKeys, SIGNING_KEYS } from '../../preflight/kubernetes/check-signing-keys.ts';
import { explainKubernetes } from '../../preflight/kubernetes/explain-kubernetes.ts';
import { rightsOfServe } from '../../preflight/kubernetes/rights.ts';
import { skipped } from '../../preflight/say.ts';
import type { Clock } from '../../time/clock.ts';
import { ownNamespace, revocationsConfigMapId } from '../serve/build-revocations.ts';

export interface KubernetesChecks {
  readonly checks: readonly Check[];
  /** Once they have run. */
  readonly close: () => void;
}

/** The Kubernetes side, with the credentials that `serve` has. */
export function kubernetesChecks(
  { kubernetes, identity, delegationTokens }: ServeConfigSections,
  { limits, clock }: { readonly limits: ServeConfig['limits']; readonly clock: Clock },
): KubernetesChecks {
  if (kubernetes === undefined) return { checks: [], close: () => undefined };
  let api: KubernetesApi | undefined;
  let username = '';

  const apiServer: Check = {
    ...API_SERVER,
    run: async (signal) => {
      try {
        const { kubeconfig, context } = kubernetes;
        api = loadKubernetesApi({
          timeoutMs: limits.kubernetesCallTimeoutMs,
          ...(kubeconfig === undefined ? {} : { kubeconfig }),
          ...(context === undefined ? {} : { context }),
        });
      } catch (error) {
        return [explainKubernetes(API_SERVER, error, 'Correct kubernetes.kubeconfig and kubernetes.context')];
      }
      const result = await checkApiServer(api, signal);
      username = result.username ?? '';
      return result.findings;
    },
  };
  const needing = (
    subject: Pick<Check, 'id' | 'title'>,
    needs: readonly string[],
    run: (opened: KubernetesApi, signal: AbortSignal) => Promise<readonly Finding[]>,
  ): Check => ({
    ...subject,
    needs: [apiServer.id, ...needs],
    run: async (signal) => (api === undefined ? [] : await run(api, signal)),
  });

  const revocations = identity === undefined ? undefined : revocationsConfigMapId({ identity, kubernetes });
  const rights = rightsOfServe({
    revocations: revocations ?? { namespace: '', name: '' },
    tokensNamespace: delegationTokens?.storeNamespace ?? ownNamespace(kubernetes.kubeconfig),
  }).filter(({ access }) => {
    if (access.resource === 'configmaps') return revocations !== undefined;
    // In memory it needs none of them.
    return access.resource !== 'secrets' || delegationTokens?.store !== 'memory';
  });
  const own = kubernetes.kubeconfig === undefined ? readOwnNamespace() : undefined;
  const checks = [
    apiServer,
    needing({ id: 'clock-api-server', title: 'Clock of the API server' }, [], (opened, signal) =>
      checkApiClock(opened, clock, signal),
    ),
    ...rights.map((right) =>
      needing(rightSubject(right), [], (opened, signal) =>
        checkRight(right, { ...opened, username }, signal),
      ),
    ),
    needing(
      { id: 'token-audience', title: `TokenReview for the audience ${kubernetes.audience}` },
      ['rbac:tokenreviews/create'],
      (opened, signal) => checkAudience({ ...opened, audience: kubernetes.audience }, signal),
    ),
    needing(SIGNING_KEYS, [], (opened, signal) => checkSigningKeys({ ...opened, username }, signal)),
    ...(revocations === undefined
      ? []
      : [
          needing(
            { id: 'revocations-config-map', title: 'Revocations in a ConfigMap' },
            ['rbac:configmaps/get'],
            (opened, signal) => checkRevocations(revocations, opened, signal),
          ),
        ]),
    needing(POD_SECURITY, [], checkPodSecurity),
    needing(OWN_ADDRESS, ['rbac:pods/get'], (opened, signal) =>
      checkOwnAddress(
        {
          ...opened,
          checkSourceAddress: kubernetes.checkSourceAddress,
          pod: own === undefined ? undefined : { namespace: own, name: hostname() },
          addresses: ownAddresses,
        },
        signal,
      ),
    ),
    WEBHOOKS,
  ];
  return { checks, close: () => api?.close() };
}

/** There is none yet that could be away. */
const WEBHOOKS: Check = {
  id: 'webhooks',
  title: 'Admission webhooks',
  run: () =>
    Promise.resolve([skipped(WEBHOOKS, 'none is configured: this version of Kerbridge brings none')]),
};

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries = []) =>
    entries.filter(({ internal }) => !internal).map(({ address }) => address),
  );
}
