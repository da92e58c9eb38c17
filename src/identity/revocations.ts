/**
 * A word of an operator against a user, or against one pod. Kept where only operators can write: a ConfigMap of our own
 * namespace, and a file.
 */
export type Revocation = UserRevocation | PodRevocation;

export interface UserRevocation extends RevocationTerms {
  /** Whatever its case. */
  readonly user: string;
}

export interface PodRevocation extends RevocationTerms {
  readonly pod: RevokedPod;
}

export interface RevokedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

interface RevocationTerms {
  /** ms since the epoch. For the record: a revocation is in force as soon as it is known. */
  readonly revokedAt: number;
  /** ms since the epoch; undefined: until an operator takes it back. */
  readonly until: number | undefined;
  /** One line of printable text; empty if none was given. */
  readonly reason: string;
  /** Who revoked; as `reason`. */
  readonly by?: string | undefined;
}

/** Whom a revocation is about. A pod without UID: every pod that had the name. */
export type RevocationSubject =
  | { readonly user: string }
  | { readonly pod: { readonly namespace: string; readonly name: string; readonly uid?: string } };

/**
 * What is known of revocations at this moment; `known: false`: too old to say that somebody is not revoked. What was last
 * known still holds against whom it names. The same array as long as nothing changes. `why` is for the operator.
 */
export type RevocationsNow =
  | { readonly known: true; readonly revocations: readonly Revocation[] }
  | { readonly known: false; readonly revocations?: readonly Revocation[]; readonly why?: string };

export function isInForce({ until }: Revocation, now: number): boolean {
  return until === undefined || now < until;
}

/** Those without the ones whose time has passed. */
export function pruneRevocations(revocations: readonly Revocation[], now: number): Revocation[] {
  return revocations.filter((revocation) => isInForce(revocation, now));
}

/**
 * There is one entry for each user and pod. A revocation added to another never shortens it: whoever revokes for an hour
 * may not know of the colleague who revoked for good.
 */
export function addRevocation(revocations: readonly Revocation[], added: Revocation): Revocation[] {
  const key = keyOf(added);
  const earlier = revocations.filter((revocation) => keyOf(revocation) === key);
  const longest = [...earlier, added].reduce((a, b) => (endOf(b) > endOf(a) ? b : a));
  return [
    ...revocations.filter((revocation) => keyOf(revocation) !== key),
    { ...added, until: longest.until },
  ];
}

/** Takes everything back that is about the subject. */
export function removeRevocation(
  revocations: readonly Revocation[],
  subject: RevocationSubject,
): Revocation[] {
  return revocations.filter((revocation) => !isAbout(revocation, subject));
}

/** Several sources as one: who is revoked by any of them is revoked, and all of them must be known to say no. */
export function combineRevocations(sources: readonly (() => RevocationsNow)[]): () => RevocationsNow {
  let parts: readonly (readonly Revocation[])[] = [];
  let combined: readonly Revocation[] = [];
  return () => {
    const states = sources.map((source) => source());
    const lists = states.map(({ revocations = NONE }) => revocations);
    if (lists.length !== parts.length || lists.some((list, index) => list !== parts[index])) {
      parts = lists;
      combined = lists.flat();
    }
    const unknown = states.find((state) => !state.known);
    return { ...(unknown ?? { known: true }), revocations: combined };
  };
}

const NONE: readonly Revocation[] = [];

/** The revocation in force against somebody, if there is one. */
export interface RevocationIndex {
  readonly ofUser: (user: string, now: number) => Revocation | undefined;
  readonly ofPod: (pod: RevokedPod, now: number) => Revocation | undefined;
}

/** One look-up a question, however many revocations there are. Of several about the same, the one that ends last counts. */
export function indexRevocations(revocations: readonly Revocation[]): RevocationIndex {
  const byKey = new Map<string, Revocation>();
  for (const revocation of revocations) {
    const key = keyOf(revocation);
    const other = byKey.get(key);
    if (other === undefined || endOf(revocation) > endOf(other)) byKey.set(key, revocation);
  }
  const inForce = (key: string, now: number): Revocation | undefined => {
    const found = byKey.get(key);
    return found !== undefined && isInForce(found, now) ? found : undefined;
  };
  return {
    ofUser: (user, now) => inForce(userKey(user), now),
    ofPod: (pod, now) => inForce(podKey(pod), now),
  };
}

function isAbout(revocation: Revocation, subject: RevocationSubject): boolean {
  if ('user' in subject) return keyOf(revocation) === userKey(subject.user);
  if (!('pod' in revocation)) return false;
  const { uid = revocation.pod.uid, ...name } = subject.pod;
  return keyOf(revocation) === podKey({ ...name, uid });
}

function endOf({ until }: Revocation): number {
  return until ?? Infinity;
}

function keyOf(revocation: Revocation): string {
  return 'user' in revocation ? userKey(revocation.user) : podKey(revocation.pod);
}

/** As in the deny list: a server behind Hadoop may not regard case either. */
function userKey(user: string): string {
  return `user ${user.toLowerCase()}`;
}

function podKey({ namespace, name, uid }: RevokedPod): string {
  return `pod ${namespace}/${name}/${uid}`;
}
