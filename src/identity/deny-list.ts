/**
 * Superusers and service users of a Hadoop cluster. Whoever becomes `hdfs` may read everything, and `HTTP`, `kms` or
 * a metastore's user are proxy users for everybody in most clusters.
 */
export const DEFAULT_DENIED_USERS: readonly string[] = [
  'hdfs',
  'yarn',
  'mapred',
  'hive',
  'hbase',
  'HTTP',
  'kms',
  'root',
];

export interface DenyListOptions {
  /** Short names of our own principals: a pod that became us could become everybody. */
  readonly ownShortNames: readonly string[];
  /** More names or glob patterns; `*` stands for any number of characters, nothing else is special. */
  readonly users?: readonly string[];
}

/** The entry that denies the user, or undefined if none does. */
export type DenyUsers = (user: string) => string | undefined;

/**
 * The users that no pod may ever speak for: {@link DEFAULT_DENIED_USERS}, our own names, and what is configured on top.
 * Compared without regard to case, because a server or a group mapping behind Hadoop may not regard it either.
 * Throws a RangeError for an empty entry, which would look like a rule and deny nobody.
 */
export function createDenyList(options: DenyListOptions): DenyUsers {
  const entries = [...DEFAULT_DENIED_USERS, ...options.ownShortNames, ...(options.users ?? [])].map(
    (entry) => {
      if (entry.trim() === '') throw new RangeError('deny list: an entry is empty: remove it or name a user');
      return { entry, parts: entry.trim().toLowerCase().split('*') };
    },
  );
  return (user) => {
    const folded = user.toLowerCase();
    return entries.find(({ parts }) => matchesGlob(folded, parts))?.entry;
  };
}

/**
 * `parts` are what stands between the stars. No regular expression: nothing of an entry has to be escaped, and a
 * hostile name can't make the match backtrack.
 */
function matchesGlob(name: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  const end = name.length - last.length;
  let position = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, position);
    if (found === -1 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}
