import type { Clock } from '../time/clock.ts';
import type { DenyUsers } from './deny-list.ts';
import type { IdentifyUser, IdentityRefusal, IdentityResult } from './identity-result.ts';
import type { IdentityRules } from './identity-rules.ts';
import { createStampJudge, type StampJudgeOptions } from './judge-pod-stamp.ts';
import { indexRevocations, type Revocation, type RevocationsNow } from './revocations.ts';
import { compileUserPattern } from './user-name.ts';

/** Kube2Hadoop's annotation. */
export const DEFAULT_ANNOTATION = 'iddecorator.username';

export interface UserIdentifierOptions extends StampJudgeOptions {
  /** Key of the annotation that names the user; default {@link DEFAULT_ANNOTATION}. */
  readonly annotation?: string;
  /** Regular expression for the whole user name; default that of WebHDFS. See `compileUserPattern`. */
  readonly userPattern?: string;
  /** The built-in list and the configuration's; the rules have their own. */
  readonly denyUsers: DenyUsers;
  /** Those in force now. */
  readonly rules: () => IdentityRules;
  /** Asked for every caller, so it should be cheap, and its array the same while nothing changes. */
  readonly revocations: () => RevocationsNow;
  readonly clock: Clock;
}

/**
 * Decides which Hadoop user a pod speaks for: the one its annotation names, or the one it asks to be instead, if the rules
 * let it. There is no default user and no fallback.
 *
 * The annotation counts only together with the stamp that the ID decorator signed. Where `requireSignature` is off, what
 * has no stamp is believed as it stands: whoever may create pods, or patch `pods`, `pods/status` or `pods/binding`, in a
 * namespace can then name any user that may be there.
 */
export function createUserIdentifier(options: UserIdentifierOptions): IdentifyUser {
  const { annotation = DEFAULT_ANNOTATION, clock } = options;
  if (annotation === '') throw new RangeError('annotation is empty: name the annotation that holds the user');
  const judgeUserName = compileUserPattern(options.userPattern);
  const judgeStamp = createStampJudge(options);
  const indexOf = rememberLast(indexRevocations);

  return (pod, doAs) => {
    const stamped = Object.hasOwn(pod.annotations, annotation) ? pod.annotations[annotation] : undefined;
    // check: stamp-present
    if (stamped === undefined || stamped === '') return refused('no-stamp');

    const stamp = judgeStamp(pod, stamped);
    // check: stamp-believed
    if (stamp.outcome !== 'believed') return stamp;

    const stampedVerdict = judgeUserName(stamped);
    // check: user-grammar
    if (stampedVerdict !== 'valid') return namedBadly(stamped, stampedVerdict);

    const rules = options.rules();
    const { namespace } = pod;
    // check: namespace-rule
    if (!rules.allowsUser(namespace, stamped))
      return refused('user-outside-namespace-rule', `${stamped} in ${namespace}`);

    const user = doAs ?? stamped;
    const becomesAnother = user !== stamped;
    // check: do-as-rule
    if (becomesAnother && !rules.allowsDoAs({ namespace, user: stamped, doAs: user }))
      return refused('do-as-not-allowed', `${quote(user)} by ${stamped} in ${namespace}`);

    const verdict = becomesAnother ? judgeUserName(user) : 'valid';
    // check: do-as-grammar
    if (verdict !== 'valid') return namedBadly(user, verdict);

    // From here on nothing maps any more: what counts is the user that Hadoop will see, and also the one who asks, who
    // can't escape by asking to be another.
    const everybody = becomesAnother ? [stamped, user] : [stamped];

    const [denied] = everybody.flatMap((each) => {
      const entry = options.denyUsers(each) ?? rules.denyUsers(each);
      return entry === undefined ? [] : [`${each} (${entry})`];
    });
    // check: deny-list
    if (denied !== undefined) return refused('user-denied', denied);

    const state = options.revocations();
    const { revocations = NO_REVOCATIONS } = state;
    const revoked = indexOf(revocations);
    const now = clock.now();

    const [revokedUser] = everybody.filter((each) => revoked.ofUser(each, now) !== undefined);
    // check: user-revoked
    if (revokedUser !== undefined) return refused('user-revoked', revokedUser);

    // check: pod-revoked
    if (revoked.ofPod(pod, now) !== undefined)
      return refused('pod-revoked', `${namespace}/${pod.name} ${pod.uid}`);

    // check: revocations-known
    if (!state.known) return couldNotCheck('revocations', state.why);

    const identified = { outcome: 'identified', stampedUser: stamped, user } as const;
    return stamp.requester === undefined ? identified : { ...identified, requester: stamp.requester };
  };
}

const NO_REVOCATIONS: readonly Revocation[] = [];

function refused(reason: IdentityRefusal, detail?: string): IdentityResult {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}

function couldNotCheck(dependency: 'revocations' | 'user-pattern', detail?: string): IdentityResult {
  const outcome = 'could-not-check';
  return detail === undefined ? { outcome, dependency } : { outcome, dependency, detail };
}

function namedBadly(name: string, verdict: 'invalid' | 'undecided'): IdentityResult {
  if (verdict === 'invalid') return refused('user-name-invalid', quote(name));
  const detail = `${quote(name)}: identity.userPattern took too long for it; simplify the pattern`;
  return couldNotCheck('user-pattern', detail);
}

/** Of a name that may hold anything, and be of any length. */
function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

/** The last result again for the same argument. */
function rememberLast<A extends object, R>(compute: (argument: A) => R): (argument: A) => R {
  let last: { readonly argument: A; readonly result: R } | undefined;
  return (argument) => {
    if (last?.argument !== argument) last = { argument, result: compute(argument) };
    return last.result;
  };
}
