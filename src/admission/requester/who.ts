import { compileNameGlob, type GlobMatch } from './name-glob.ts';
import type { Requester } from './requester.ts';
import type { Who } from './requesters-document.ts';

const SYSTEM_PREFIX = 'system:';

export function isSystemName(name: string): boolean {
  return name.startsWith(SYSTEM_PREFIX);
}

/** Compared exactly, or without regard to case, as what denies is (ADR 9). */
type Comparison = 'exact' | 'any-case';

/** How an entry is about the requester: by which match of its user name; undefined if it isn't. */
export function compileWho(
  { usernames, groups }: Who,
  comparison: Comparison = 'exact',
): (requester: Requester) => GlobMatch | undefined {
  const matchUsername = compileGlobs(usernames ?? ['*'], comparison);
  const matchGroup = groups === undefined ? undefined : compileGlobs(groups, comparison);
  return (requester) => {
    const match = matchUsername(requester.username);
    if (match === undefined || matchGroup === undefined) return match;
    const isInGroup = (requester.groups ?? []).some((group) => matchGroup(group) !== undefined);
    return isInGroup ? match : undefined;
  };
}

/** Of the first glob that fits. What begins with `system:` fits only a glob that does too: `*` means people. */
function compileGlobs(
  globs: readonly string[],
  comparison: Comparison,
): (name: string) => GlobMatch | undefined {
  const fold = (text: string): string => (comparison === 'any-case' ? text.toLowerCase() : text);
  const compiled = globs.map((glob) => ({
    isForSystem: isSystemName(fold(glob)),
    match: compileNameGlob(fold(glob)),
  }));
  return (name) => {
    const isSystem = isSystemName(name);
    const folded = fold(name);
    for (const { isForSystem, match } of compiled) {
      const found = isForSystem || !isSystem ? match(folded) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
