import type { ServeConfig } from '../../config/serve-config.ts';
import { createDenyList, denyEntryProblem, type DenyUsers } from '../../identity/deny-list.ts';
import { compileUserPattern } from '../../identity/user-name.ts';
import type { Finding } from '../../preflight/finding.ts';
import { failed, ok } from '../../preflight/say.ts';

export interface JudgeUserOptions {
  readonly user: string;
  /** undefined: the configuration's is not right in itself. */
  readonly identity: ServeConfig['identity'] | undefined;
  /** Of all clusters. */
  readonly ownShortNames: readonly string[];
  readonly serviceUsers: readonly string[];
  readonly deniedByRules: DenyUsers;
}

/** Whether `serve` could ever hand out a token of that user: nobody else's is asked for here. */
export function judgeUser(options: JudgeUserOptions): Finding {
  const { user, identity, ownShortNames, serviceUsers, deniedByRules } = options;
  const subject = { id: 'user', title: `The user ${JSON.stringify(user.slice(0, 64))} of --user` };
  const fix = 'Name a person with --user, by the short name that Hadoop knows';
  const pattern = usable(() => compileUserPattern(identity?.userPattern)) ?? compileUserPattern();
  if (pattern(user) !== 'valid') {
    return failed(subject, 'no user name that serve would take (identity.userPattern)', fix);
  }
  const deny = createDenyList({
    ownShortNames,
    serviceUsers,
    users: (identity?.denyUsers ?? []).filter((entry) => denyEntryProblem(entry) === undefined),
  });
  const entry = deny(user) ?? deniedByRules(user);
  return entry === undefined
    ? ok(subject, 'may be asked for')
    : failed(subject, `on the deny list (${entry}): no pod may be that user, and this check neither`, fix);
}

function usable<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
