import type { ConfigProblem } from '../../config/config-problem.ts';
import { denyEntryProblem } from '../../identity/deny-list.ts';

/** `identity.denyUsers`, if all of it can be used; else none, and `problems` says why. */
export function deniedUsers(denyUsers: readonly string[], problems: ConfigProblem[]): readonly string[] {
  const found = denyUsers.flatMap((entry, index): ConfigProblem[] => {
    const message = denyEntryProblem(entry);
    return message === undefined ? [] : [{ path: `identity.denyUsers[${index}]`, message }];
  });
  problems.push(...found);
  return found.length === 0 ? denyUsers : [];
}
