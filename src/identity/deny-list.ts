import { createGlobTable } from './glob-table.ts';

/**
 * Superusers and service users of a Hadoop cluster, and the first components of their principals. Whoever becomes `hdfs`
 * may read everything, and `HTTP`, `kms` or a metastore's user are proxy users for everybody in most clusters.
 */
export const DEFAULT_DENIED_USERS: readonly string[] = [
  'hdfs yarn mapred hive hbase HTTP kms root',
  // Daemons of HDFS, YARN, MapReduce and Ozone: `auth_to_local` makes superusers of them, or nothing.
  'nn sn dn jn zkfc nfs httpfs rm nm jhs ats om scm ozone s3g',
  // What is a proxy user, or a superuser, in one distribution or the other.
  'hadoop hue impala knox livy oozie ranger zeppelin zookeeper',
].flatMap((names) => names.split(' '));

export interface DenyListOptions {
  /** Short names of our own principals: a pod that became us could become everybody. */
  readonly ownShortNames: readonly string[];
  /** Names that a Hadoop configuration gives to daemons and proxy users, literally. */
  readonly serviceUsers?: readonly string[];
  /** More names or glob patterns; `*` stands for any number of characters, nothing else is special. */
  readonly users?: readonly string[];
}

/** What can be found in a user name, and stars; a `$` only at the end. See `compileUserPattern`. */
const GLOB = /^[A-Za-z_*][A-Za-z0-9._*-]*[$]?[*]*$/;

/** Why an entry of {@link DenyListOptions.users} would never deny anybody it is meant for, with the fix; without its text. */
export function denyEntryProblem(entry: string): string | undefined {
  const glob = entry.trim();
  if (glob === '') return 'is empty: remove it or name a user';
  if (/[@/]/.test(glob) && /^[\w$.*@/-]+$/.test(glob) && !glob.startsWith('/')) {
    return 'can match nobody: write the short name, without realm and host';
  }
  if (!GLOB.test(glob) || glob.includes('.*')) {
    return 'can match nobody: entries are globs, not regular expressions; write names as they are, with * for any characters';
  }
  return undefined;
}

/** The entry that denies the user, or undefined if none does. */
export type DenyUsers = (user: string) => string | undefined;

/**
 * The users that no pod may ever speak for: {@link DEFAULT_DENIED_USERS}, our own names, and what is configured on top.
 * Compared without regard to case, because a server or a group mapping behind Hadoop may not regard it either.
 * Throws a RangeError for an entry that would look like a rule and deny nobody.
 */
export function createDenyList(options: DenyListOptions): DenyUsers {
  for (const entry of options.users ?? []) {
    const problem = denyEntryProblem(entry);
    if (problem !== undefined) throw new RangeError(`deny list: an entry ${problem}`);
  }
  const names = [...DEFAULT_DENIED_USERS, ...options.ownShortNames, ...(options.serviceUsers ?? [])];
  if (names.some((name) => name.trim() === '')) throw new RangeError('deny list: a name of ours is empty');
  const literal = new Map(names.map((name) => [name.trim().toLowerCase(), name]));
  const denyUsers = createDenyUsers(options.users ?? []);
  return (user) => literal.get(user.toLowerCase()) ?? denyUsers(user);
}

/** What is denied by names and globs alone. They are compared without regard to case. */
export function createDenyUsers(entries: readonly string[]): DenyUsers {
  const lookUp = createGlobTable(entries.map((entry) => [entry.trim().toLowerCase(), entry]));
  return (user) => lookUp(user.toLowerCase());
}
