import type { DenyUsers } from './deny-list.ts';
import type { IdentifyUser, IdentityRefusal, IdentityResult } from './identity-result.ts';
import { compileUserPattern } from './user-name.ts';

/** Kube2Hadoop's annotation. */
export const DEFAULT_ANNOTATION = 'iddecorator.username';

export interface UserIdentifierOptions {
  /** Key of the annotation that names the user; default {@link DEFAULT_ANNOTATION}. */
  readonly annotation?: string;
  /** Regular expression for the whole user name; default that of WebHDFS. See `compileUserPattern`. */
  readonly userPattern?: string;
  readonly denyUsers: DenyUsers;
}

/**
 * Decides which Hadoop user a pod speaks for: the one its annotation names. There is no default user and no fallback.
 *
 * NOTE: the annotation is not signed yet; that comes with the ID decorator. Until then the guard is who may write it:
 * whoever may create pods, or patch `pods`, `pods/status` or `pods/binding`, in a namespace can name any user there
 * that is not denied.
 */
export function createUserIdentifier(options: UserIdentifierOptions): IdentifyUser {
  const { annotation = DEFAULT_ANNOTATION, denyUsers } = options;
  if (annotation === '') throw new RangeError('annotation is empty: name the annotation that holds the user');
  const judgeUserName = compileUserPattern(options.userPattern);

  return (pod, doAs) => {
    const stamped = Object.hasOwn(pod.annotations, annotation) ? pod.annotations[annotation] : undefined;
    if (stamped === undefined || stamped === '') return refused('no-stamp');
    const verdict = judgeUserName(stamped);
    if (verdict !== 'valid') {
      const shown = JSON.stringify(stamped.slice(0, 64));
      const slow = `${shown}: identity.userPattern took too long for it; simplify the pattern`;
      return refused('user-name-invalid', verdict === 'invalid' ? shown : slow);
    }

    // Nothing says yet who may act for whom, so nobody may.
    if (doAs !== undefined && doAs !== stamped)
      return refused('do-as-not-allowed', JSON.stringify(doAs.slice(0, 64)));

    // Last, after every mapping: what counts is the user that Hadoop will see.
    const deniedBy = denyUsers(stamped);
    if (deniedBy !== undefined) return refused('user-denied', `${stamped} (${deniedBy})`);

    return { outcome: 'identified', user: stamped };
  };
}

function refused(reason: IdentityRefusal, detail?: string): IdentityResult {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}
