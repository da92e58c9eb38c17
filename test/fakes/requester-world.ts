import {
  createRequesterMapper,
  type RequesterMapperOptions,
} from '../../src/admission/requester/map-requester.ts';
import { compileRequesterRules } from '../../src/admission/requester/requester-rules.ts';
import type { Requester, RequesterResult } from '../../src/admission/requester/requester.ts';
import type { RequestersDocument } from '../../src/admission/requester/requesters-document.ts';
import type { PodView } from '../../src/authentication/kubernetes-access.ts';
import { createDenyList } from '../../src/identity/deny-list.ts';
import { NO_IDENTITY_RULES } from '../../src/identity/identity-rules.ts';
import { compileUserPattern } from '../../src/identity/user-name.ts';

const EXTRA = 'authentication.kubernetes.io/';

/** What the API server says of a service account that has shown a token of the TokenRequest API. */
export function account(name: string, extra: Readonly<Record<string, readonly string[]>> = {}): Requester {
  const [namespace = ''] = name.split(':');
  return {
    username: `system:serviceaccount:${name}`,
    uid: `uid-of-${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: { [`${EXTRA}credential-id`]: ['JTI=0b6e1a4c'], ...extra },
  };
}

/** The same, of a token that is mounted in a pod. */
export function accountInPod(name: string, pod: string, uid = `uid-of-${pod}`): Requester {
  return account(name, { [`${EXTRA}pod-name`]: [pod], [`${EXTRA}pod-uid`]: [uid] });
}

export function person(username: string, ...groups: string[]): Requester {
  return { username, groups: [...groups, 'system:authenticated'] };
}

/** A pod of account `default` that is stamped with a user, unless it is said otherwise. */
export function stampedPod(name: string, user: string, changes: Partial<PodView> = {}): PodView {
  return {
    namespace: 'team-a',
    name,
    uid: `uid-of-${name}`,
    serviceAccount: 'default',
    phase: 'Running',
    createdAt: 0,
    deletionTimestamp: undefined,
    podIps: [],
    annotations: { stamp: user },
    ...changes,
  };
}

export const NO_REQUESTERS: RequestersDocument = {
  groups: new Map(),
  trustedControllers: [],
  delegates: [],
  rules: [],
  otherRequesters: 'themselves',
  exempt: [],
};

/** A mapper over pods and requesters of a test. A pod's stamp is good if its annotation `stamp` is there. */
export function requesterWorld({
  requesters = {},
  pods = [],
  ...options
}: {
  readonly requesters?: Partial<RequestersDocument>;
  readonly pods?: readonly PodView[];
} & Partial<RequesterMapperOptions> = {}): (
  requester: Requester,
  namespace?: string,
  namedUser?: string,
) => Promise<RequesterResult> {
  const rules = compileRequesterRules({ ...NO_REQUESTERS, ...requesters });
  const map = createRequesterMapper({
    requesterRules: () => rules,
    identityRules: () => NO_IDENTITY_RULES,
    denyUsers: createDenyList({ ownShortNames: ['kerbridge'] }),
    judgeUserName: compileUserPattern(),
    annotation: 'iddecorator.username',
    getPod: async (namespace, name) => pods.find((pod) => pod.namespace === namespace && pod.name === name),
    verifyPodStamp: ({ annotations }) => {
      const user = annotations['stamp'];
      return user === undefined
        ? { outcome: 'refused', reason: 'stamp-absent' }
        : { outcome: 'verified', user };
    },
    ...options,
  });
  return async (requester, namespace = 'team-a', namedUser) => await map({ requester, namespace, namedUser });
}
