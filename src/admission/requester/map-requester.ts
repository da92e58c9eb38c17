import type { ServiceAccountName } from '../../authentication/service-account-name.ts';
import type { DenyUsers } from '../../identity/deny-list.ts';
import type { IdentityRules } from '../../identity/identity-rules.ts';
import type { JudgeUserName } from '../../identity/user-name.ts';
import { type CreatorPodLookUps, readCreatorPod, userOfCreatorPod } from './creator-pod.ts';
import { explainRefusal } from './explain-refusal.ts';
import { quote } from './quote.ts';
import type { RequesterRules } from './requester-rules.ts';
import type {
  CouldNotCheckRequester,
  MapRequester,
  RequesterQuestion,
  RequesterRefusal,
  RequesterResult,
} from './requester.ts';
import { readServiceAccount } from './service-account.ts';
import { isSystemName } from './who.ts';

export interface RequesterMapperOptions extends CreatorPodLookUps {
  /** Those in force now. */
  readonly requesterRules: () => RequesterRules;
  /** The same as `serve` has, so that a pod which it would refuse isn't made in the first place. It has the last word. */
  readonly identityRules: () => IdentityRules;
  readonly denyUsers: DenyUsers;
  readonly judgeUserName: JudgeUserName;
  /** Key of the user annotation, for what a person is told. */
  readonly annotation: string;
}

/** Far longer than any name that a user name can be made of. */
const MAX_REQUESTER_LENGTH = 1_024;

type Via = Extract<RequesterResult, { outcome: 'user' }>['via'];

/** Before it is seen whether that user may be there. */
type Mapped =
  | { readonly outcome: 'user'; readonly user: string; readonly via: Via }
  | { readonly outcome: 'trusted-controller'; readonly name: string }
  | Refused
  | CouldNotCheckRequester;

interface Refused {
  readonly outcome: 'refused';
  readonly reason: RequesterRefusal;
  readonly detail?: string;
  /** Whom it would have been. */
  readonly user?: string;
}

/**
 * Decides which Hadoop user an object speaks for. The first of these that applies: trusted controller, delegate, creator
 * pod, rule, the requester itself. One that applies and refuses is the end: nothing falls through to the next.
 */
export function createRequesterMapper(options: RequesterMapperOptions): MapRequester {
  return async (question) => {
    const mapped = await map(question, options);
    const judged = mapped.outcome === 'user' ? judgeUser(mapped, question.namespace, options) : mapped;
    if (judged.outcome === 'refused') {
      const { reason, detail, user } = judged;
      const text = explainRefusal({ reason, question, user, annotation: options.annotation });
      return { outcome: 'refused', reason, text, ...(detail === undefined ? {} : { detail }) };
    }
    if (judged.outcome === 'user') return { ...judged, requester: question.requester.username };
    return judged;
  };
}

async function map(question: RequesterQuestion, options: RequesterMapperOptions): Promise<Mapped> {
  const { username } = question.requester;
  // check: requester-name
  if (username === '' || username.length > MAX_REQUESTER_LENGTH) return refused('requester-malformed');

  // First of all: each of the following takes an account at its name.
  const asking = readServiceAccount(question.requester);
  // check: requester-account-proven
  if (asking.kind === 'unproven') return refused('service-account-unproven', asking.why);
  const account = asking.kind === 'proven' ? asking.account : undefined;

  const rules = options.requesterRules();
  if (rules.isTrustedController(username)) return { outcome: 'trusted-controller', name: username };
  return (
    byDelegate(question, rules) ??
    (await byCreatorPod(question, account, options)) ??
    byRule(question, account, rules) ??
    byItself(question, account, { rules, judgeUserName: options.judgeUserName })
  );
}

function byDelegate(
  { requester, namespace, namedUser }: RequesterQuestion,
  rules: RequesterRules,
): Mapped | undefined {
  const delegate = rules.delegate(requester.username, namespace);
  if (delegate === undefined) return undefined;
  if (delegate === 'elsewhere') {
    // Not as one of the others: it has named somebody, and would get another.
    // check: delegate-namespace
    if (namedUser !== undefined) return refused('delegate-not-in-namespace');
    return undefined;
  }
  if (namedUser === undefined) {
    // check: delegate-names-somebody
    if (delegate.withoutUser === 'refuse') return refused('delegate-names-nobody');
    return undefined;
  }
  // check: delegate-user
  if (!delegate.mayName(namedUser))
    return { outcome: 'refused', reason: 'delegate-may-not-name-user', user: namedUser };
  return { outcome: 'user', user: namedUser, via: 'delegate' };
}

async function byCreatorPod(
  { requester, namespace }: RequesterQuestion,
  account: ServiceAccountName | undefined,
  lookUps: CreatorPodLookUps,
): Promise<Mapped | undefined> {
  const claim = readCreatorPod(requester, account);
  if (claim.kind === 'none') return undefined;
  // check: creator-pod-claim
  if (claim.kind === 'malformed') return refused('creator-pod-malformed');
  // What a pod may be in its own namespace says nothing about another; only a rule that names its account does.
  // check: creator-pod-namespace
  if (claim.pod.namespace !== namespace) return undefined;
  const result = await userOfCreatorPod(claim.pod, lookUps);
  return result.outcome === 'user' ? { ...result, via: 'creator-pod' } : result;
}

function byRule(
  { requester, namespace }: RequesterQuestion,
  account: ServiceAccountName | undefined,
  rules: RequesterRules,
): Mapped | undefined {
  // check: requester-system-name
  if (isSystemName(requester.username) && account === undefined) return refused('system-requester');
  const ruled = rules.ruled(requester, namespace);
  if (ruled === undefined) return undefined;
  // check: requester-rule-refuses
  if (ruled.outcome === 'refused') return refused('rule-refuses');
  // check: requester-rule-unambiguous
  if (ruled.outcome === 'ambiguous') return refused('rule-ambiguous');
  return { outcome: 'user', user: ruled.user, via: 'rule' };
}

function byItself(
  { requester }: RequesterQuestion,
  account: ServiceAccountName | undefined,
  { rules, judgeUserName }: { readonly rules: RequesterRules; readonly judgeUserName: JudgeUserName },
): Mapped {
  const { username } = requester;
  // check: requester-no-account
  if (account !== undefined) return refused('service-account-not-mapped');
  // check: requester-others-mapped
  if (rules.otherRequesters === 'none') return refused('requester-not-mapped');
  // check: requester-plain-name
  if (judgeUserName(username) === 'invalid') return refused('requester-not-mapped');
  return { outcome: 'user', user: username, via: 'itself' };
}

/** As `serve` will, but for the revocations, which may be lifted while the pod lives. */
function judgeUser(
  mapped: Extract<Mapped, { outcome: 'user' }>,
  namespace: string,
  { judgeUserName, identityRules, denyUsers }: RequesterMapperOptions,
): Mapped {
  const { user } = mapped;
  const verdict = judgeUserName(user);
  // check: requester-user-decided
  if (verdict === 'undecided') {
    const detail = `${quote(user)}: identity.userPattern took too long for it; simplify the pattern`;
    return { outcome: 'could-not-check', dependency: 'user-pattern', detail };
  }
  // check: requester-user-grammar
  if (verdict === 'invalid') return { outcome: 'refused', reason: 'user-name-invalid', user };
  const rules = identityRules();
  // check: requester-namespace-rule
  if (!rules.allowsUser(namespace, user))
    return { outcome: 'refused', reason: 'user-outside-namespace-rule', user };
  const entry = denyUsers(user) ?? rules.denyUsers(user);
  // check: requester-deny-list
  if (entry !== undefined) return { outcome: 'refused', reason: 'user-denied', user, detail: entry };
  return mapped;
}

function refused(reason: RequesterRefusal, detail?: string): Refused {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}
