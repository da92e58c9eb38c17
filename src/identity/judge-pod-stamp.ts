import type { IdentityRefusal, StampedPod } from './identity-result.ts';
import type { StampRefusalReason } from './stamps/compact-stamp.ts';
import { verifyPodStamp } from './stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION } from './stamps/stamp-annotations.ts';
import type { StampPublicKeys } from './stamps/stamp-keys.ts';

/**
 * Between the signature and the creationTimestamp of the pod: admission takes seconds at most, the API server cuts off
 * what is less than a second, and clocks differ. A stamp that is copied to a later pod of the same name is older.
 */
export const MAX_STAMP_AGE_MS = 60_000;

export interface StampJudgeOptions {
  /** Whether a pod without a stamp is refused. One that is there must be right in any case. */
  readonly requireSignature: boolean;
  /** Those in use now, the same object while they don't change; undefined: there are none. */
  readonly stampKeys: () => StampPublicKeys | undefined;
}

export type StampVerdict =
  /** `requester`: the Kubernetes user who asked for the pod; undefined without a stamp. */
  | { readonly outcome: 'believed'; readonly requester?: string }
  | { readonly outcome: 'refused'; readonly reason: IdentityRefusal; readonly detail?: string }
  | { readonly outcome: 'could-not-check'; readonly dependency: 'stamp-keys'; readonly detail: string };

/** Whether the stamp of the pod says that it speaks for `user`, whom its annotation names. */
export type JudgePodStamp = (pod: StampedPod, user: string) => StampVerdict;

/**
 * A verdict is a matter of the pod and the keys alone, not of the time it is asked for: so it is found once for each pod
 * object, and no signature is verified on the hot path.
 */
export function createStampJudge({ requireSignature, stampKeys }: StampJudgeOptions): JudgePodStamp {
  const verdicts = new WeakMap<
    StampedPod,
    { readonly keys: StampPublicKeys; readonly user: string; readonly verdict: StampVerdict }
  >();

  return (pod, user) => {
    const current = stampKeys();
    const { annotations } = pod;
    const stamp = Object.hasOwn(annotations, POD_STAMP_ANNOTATION)
      ? annotations[POD_STAMP_ANNOTATION]
      : undefined;
    const isMissing = stamp === undefined && requireSignature;
    // check: stamp-keys-known
    if (current === undefined && (isMissing || stamp !== undefined)) return NO_KEYS;
    // check: stamp-signed
    if (isMissing) return refused('stamp-unsigned');
    if (current === undefined || stamp === undefined) return UNSIGNED;

    const known = verdicts.get(pod);
    if (known?.keys === current && known.user === user) return known.verdict;
    const verdict = judgeStamp(pod, { user, stamp, keys: current });
    verdicts.set(pod, { keys: current, user, verdict });
    return verdict;
  };
}

const UNSIGNED: StampVerdict = { outcome: 'believed' };
const NO_KEYS: StampVerdict = {
  outcome: 'could-not-check',
  dependency: 'stamp-keys',
  detail:
    'identity.stampKeysFile is not set: name the public keys of the ID decorator, or set identity.requireSignature: false',
};

interface Claim {
  readonly user: string;
  readonly stamp: string;
  readonly keys: StampPublicKeys;
}

function judgeStamp(pod: StampedPod, { user, stamp: text, keys }: Claim): StampVerdict {
  const opened = verifyPodStamp(text, keys);
  // check: stamp-verified
  if (opened.outcome === 'refused') return refused(REFUSALS[opened.reason], opened.detail);

  const { stamp } = opened;
  const isOfPod = stamp.namespace === pod.namespace && stamp.podName === pod.name;
  // check: stamp-of-pod
  if (!isOfPod)
    return refused(
      'stamp-of-other-pod',
      `${stamp.namespace}/${stamp.podName} on ${pod.namespace}/${pod.name}`,
    );

  const ageMs = pod.createdAt - stamp.issuedAtSeconds * 1000;
  // check: stamp-timely
  if (!(Math.abs(ageMs) <= MAX_STAMP_AGE_MS))
    return refused(
      'stamp-untimely',
      `the pod was made ${Math.abs(ageMs) / 1000} s ${ageMs > 0 ? 'after' : 'before'} its stamp`,
    );

  // check: stamp-user
  if (stamp.user !== user)
    return refused(
      'stamp-user-differs',
      `stamp ${JSON.stringify(stamp.user)}, annotation ${JSON.stringify(user.slice(0, 64))}`,
    );

  return { outcome: 'believed', requester: stamp.requester };
}

const REFUSALS: Readonly<Record<StampRefusalReason, IdentityRefusal>> = {
  malformed: 'stamp-malformed',
  'other-type': 'stamp-of-other-type',
  'unknown-key': 'stamp-key-unknown',
  forged: 'stamp-forged',
  'unknown-version': 'stamp-version-unknown',
};

function refused(reason: IdentityRefusal, detail?: string): StampVerdict {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}
