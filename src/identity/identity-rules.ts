import { createDenyUsers, type DenyUsers } from './deny-list.ts';
import { createGlobTable } from './glob-table.ts';

/** A rules file after it was checked: docs/identity-rules.md says what it may hold. */
export interface IdentityRulesDocument {
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly namespaces: readonly {
    readonly namespaces: readonly string[];
    readonly users: readonly string[];
  }[];
  readonly otherNamespaces: 'any' | 'none';
  readonly doAs: readonly {
    readonly users: readonly string[];
    readonly by: readonly string[];
    /** undefined: from everywhere. */
    readonly namespaces: readonly string[] | undefined;
  }[];
  readonly denyUsers: readonly string[];
}

/** A pod of the namespace that is stamped with `user` asks to be `doAs`. */
export interface DoAsQuestion {
  readonly namespace: string;
  readonly user: string;
  readonly doAs: string;
}

export interface IdentityRules {
  /** Whether pods of that namespace may be stamped with that user. */
  readonly allowsUser: (namespace: string, user: string) => boolean;
  readonly allowsDoAs: (question: DoAsQuestion) => boolean;
  /** On top of every other deny list. */
  readonly denyUsers: DenyUsers;
}

/**
 * Whether the user is in the group: exact names. Answered at once, so that nothing waits between the checks of a
 * caller; a directory would be read ahead of the question.
 */
export type IsMember = (user: string, group: string) => boolean;

/** The groups of a rules file itself. A group that it doesn't name has no members. */
export function staticGroups(groups: IdentityRulesDocument['groups']): IsMember {
  const members = new Map([...groups].map(([group, users]) => [group, new Set(users)]));
  return (user, group) => members.get(group)?.has(user) === true;
}

const GROUP_PREFIX = 'group:';

/** What allows is compared exactly, what denies without regard to case (ADR 9). */
export function compileIdentityRules(
  document: IdentityRulesDocument,
  isMember: IsMember = staticGroups(document.groups),
): IdentityRules {
  const othersAllowed = document.otherNamespaces === 'any';
  const ruleOf = createGlobTable(
    document.namespaces.flatMap(({ namespaces, users }) => {
      const isAllowed = compileUsers(users, isMember);
      return namespaces.map((namespace) => [namespace, isAllowed] as const);
    }),
  );
  const doAsRules = document.doAs.map(({ users, by, namespaces = ['*'] }) => ({
    mayBeAskedFor: compileUsers(users, isMember),
    mayAsk: compileUsers(by, isMember),
    isFrom: compileNames(namespaces),
  }));
  return {
    allowsUser: (namespace, user) => ruleOf(namespace)?.(user) ?? othersAllowed,
    allowsDoAs: ({ namespace, user, doAs }) =>
      doAsRules.some((rule) => rule.mayBeAskedFor(doAs) && rule.mayAsk(user) && rule.isFrom(namespace)),
    denyUsers: createDenyUsers(document.denyUsers),
  };
}

/** In force without a rules file: any user in any namespace, and nobody in the place of another. */
export const NO_IDENTITY_RULES: IdentityRules = compileIdentityRules({
  groups: new Map(),
  namespaces: [],
  otherNamespaces: 'any',
  doAs: [],
  denyUsers: [],
});

/** Names, globs and `group:<name>`; exact. */
export function compileUsers(entries: readonly string[], isMember: IsMember): (user: string) => boolean {
  const groups = entries.filter((entry) => entry.startsWith(GROUP_PREFIX));
  const groupNames = groups.map((entry) => entry.slice(GROUP_PREFIX.length));
  const isNamed = compileNames(entries.filter((entry) => !entry.startsWith(GROUP_PREFIX)));
  return (user) => isNamed(user) || groupNames.some((group) => isMember(user, group));
}

/** Names and globs; exact. */
export function compileNames(entries: readonly string[]): (name: string) => boolean {
  const lookUp = createGlobTable(entries.map((entry) => [entry, true]));
  return (name) => lookUp(name) === true;
}
