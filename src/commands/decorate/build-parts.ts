import type { DecoratorParts, StampKeysNow } from '../../admission/decorator-parts.ts';
import type { ResourceName } from '../../admission/look-ups.ts';
import { SERVICE_ACCOUNT_PREFIX } from '../../admission/requester/service-account.ts';
import { createRequesterMapper } from '../../admission/requester/map-requester.ts';
import type { VerifyPodStamp } from '../../admission/requester/requester.ts';
import { createTemplateFinder } from '../../admission/templates/digested-templates.ts';
import { resourceKey } from '../../admission/templates/template-table.ts';
import { createStampJudge } from '../../identity/judge-pod-stamp.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Clock } from '../../time/clock.ts';
import type { DecoratePlan } from './plan-decorate.ts';
import { randomName } from './random-name.ts';

/** Allowed to nobody but who is allowed everything. */
const NO_VERB = 'kerbridge-any-verb';

/** What of the Kubernetes API `decorate` uses. */
export type DecorateKubernetes = Pick<
  KubernetesApi,
  | 'getPod'
  | 'createObjectReader'
  | 'createStoredSchemas'
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

export interface DecoratorPartsOptions {
  readonly keys: () => StampKeysNow | undefined;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

/** What the decisions ask, by that plan. */
export function decoratorParts(
  plan: BuildPlan,
  { keys, clock, logger }: DecoratorPartsOptions,
): DecoratorParts {
  const { config, kubernetes } = plan;
  const { annotation } = config.identity;
  const verifyPodStamp = createPodStampVerifier(annotation, keys);
  return {
    annotation,
    keys,
    optedInNamespace: kubernetes.createOptedInNamespaces({ ...config.optIn, clock }),
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
    readStoredSchemas: kubernetes.createStoredSchemas({ clock }),
    onDroppedStamp: tellOfDroppedStamps(logger),
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
      if (!(await kubernetes.reviewAccess(user, access, { signal })).allowed) return false;
      // Operators are often given every verb there is, and write what anybody wishes: for them it must be named.
      if (!username.startsWith(SERVICE_ACCOUNT_PREFIX)) return true;
      const any = { ...access, verb: NO_VERB };
      return !(await kubernetes.reviewAccess(user, any, { signal })).allowed;
    },
    isExempt: (requester, from, namespace) => plan.requesterRules().isExempt(requester, from, namespace),
    guard: config.guard,
    injection: config.injection,
    clock,
    randomName,
  };
}

/** Once for each resource: what it says is not news the second time. */
function tellOfDroppedStamps(logger: Pick<Logger, 'warn'>): (resource: ResourceName) => void {
  const told = new Set<string>();
  return (of) => {
    const resource = resourceKey(of);
    if (told.has(resource)) return;
    told.add(resource);
    logger.warn('The schema of a custom resource drops the annotations of templates', {
      resource,
      fix: 'its pods speak for nobody: generate its definition with the metadata of templates (controller-gen crd:generateEmbeddedObjectMeta=true), or set x-kubernetes-preserve-unknown-fields there',
    });
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
