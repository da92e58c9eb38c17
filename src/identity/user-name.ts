/** `DFS_WEBHDFS_USER_PATTERN_DEFAULT` in Hadoop's HdfsClientConfigKeys, which is useradd's grammar. */
export const DEFAULT_USER_PATTERN = '[A-Za-z_][A-Za-z0-9._-]*[$]?';

export const MAX_USER_NAME_LENGTH = 255;

/**
 * What no configured pattern can widen. A `/` or `@` would make Hadoop read the name as a Kerberos principal and map it
 * by `hadoop.security.auth_to_local`, after our deny list has seen another name (`x/hdfs@REALM`); a comma, colon, space
 * or control character means something in ACLs, logs and headers; outside ASCII there are look-alikes and case folding.
 */
const ALWAYS = /^[A-Za-z0-9_][A-Za-z0-9._+=~#$-]*$/;

/** True for a name that may be a Hadoop user's short name. */
export type IsUserName = (name: string) => boolean;

/**
 * Compiles the grammar of Hadoop user names. `pattern` is a regular expression for the whole name (it is anchored
 * here), as in `dfs.webhdfs.user.provider.user.pattern`; it can narrow what is allowed, not go beyond short ASCII names.
 * Throws a RangeError when it is no regular expression.
 */
export function compileUserPattern(pattern: string = DEFAULT_USER_PATTERN): IsUserName {
  const anchored = compile(pattern);
  return (name) => name.length <= MAX_USER_NAME_LENGTH && ALWAYS.test(name) && anchored.test(name);
}

function compile(pattern: string): RegExp {
  try {
    // Compiled once as it stands, so that an unbalanced `)` can't close the anchoring group around it.
    void new RegExp(pattern, 'u');
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    throw new RangeError(`user pattern ${JSON.stringify(pattern)} is not a regular expression: correct it`);
  }
}
