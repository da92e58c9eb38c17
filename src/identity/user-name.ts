import { createContext, Script } from 'node:vm';

/** `DFS_WEBHDFS_USER_PATTERN_DEFAULT` in Hadoop's HdfsClientConfigKeys, which is useradd's grammar. */
export const DEFAULT_USER_PATTERN = '[A-Za-z_][A-Za-z0-9._-]*[$]?';

/** Without the `$` that may follow. */
export const MAX_USER_NAME_LENGTH = 255;

/**
 * A Hadoop short name, which is what no configured pattern can widen; the same as in `hadoop/short-name.ts`, so that no
 * name passes here and fails there. A `/` or `@` would make Hadoop read the name as a Kerberos principal and map it by
 * `hadoop.security.auth_to_local`, after our deny list has seen another name (`x/hdfs@REALM`); a comma, colon, space or
 * control character means something in ACLs, logs and headers; outside ASCII there are look-alikes and case folding.
 */
const SHORT_NAME = /^[A-Za-z_][A-Za-z0-9._-]{0,254}[$]?$/u;

/** Far longer than a sane pattern takes for 255 characters (microseconds), far shorter than what a caller would notice. */
const MATCH_TIMEOUT_MS = 50;
/**
 * That time is the clock's, so it also passes while other processes have the processor. Whether it was the pattern that
 * took it is seen from the processor time of this thread; if it wasn't, the match is tried again, this often in all.
 */
const ATTEMPTS_FOR_A_CALLER = 2;
const ATTEMPTS_AT_START = 20;

/** `undecided`: the configured pattern took too long for it, which is no yes. */
export type UserNameVerdict = 'valid' | 'invalid' | 'undecided';

/** Judges whether a name may be a Hadoop user's short name. */
export type JudgeUserName = (name: string) => UserNameVerdict;

/**
 * Compiles the grammar of Hadoop user names. `pattern` is a regular expression for the whole name (it is anchored
 * here), as in `dfs.webhdfs.user.provider.user.pattern`; it can narrow what is allowed, not go beyond short ASCII names.
 * Throws a RangeError when it is no regular expression, or one that backtracks for ever on some names: whoever may
 * annotate a pod could stop the whole process with such a name.
 */
export function compileUserPattern(pattern: string = DEFAULT_USER_PATTERN): JudgeUserName {
  const isShortName = (name: string): boolean => SHORT_NAME.test(name);
  // It is the floor itself: nothing to bound, nothing to run.
  if (pattern === DEFAULT_USER_PATTERN) return (name) => (isShortName(name) ? 'valid' : 'invalid');
  const match = compile(pattern);
  if (hostileNames(pattern).some((name) => match(name, ATTEMPTS_AT_START) === 'undecided')) {
    throw new RangeError(
      'the user pattern takes too long for some names: leave out repetitions within repetitions, such as (a+)+',
    );
  }
  return (name) => (isShortName(name) ? match(name, ATTEMPTS_FOR_A_CALLER) : 'invalid');
}

/** In a context of its own, because only there can a match be ended from outside. */
function compile(pattern: string): (name: string, attempts: number) => UserNameVerdict {
  try {
    // Compiled once as it stands, so that an unbalanced `)` can't close the anchoring group around it.
    void new RegExp(pattern, 'u');
    void new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    throw new RangeError('the user pattern is not a regular expression of JavaScript (flag u): correct it');
  }
  const sandbox = { source: `^(?:${pattern})$`, name: '' };
  const context = createContext(sandbox, { codeGeneration: { strings: false, wasm: false } });
  new Script('const pattern = new RegExp(source, "u");').runInContext(context);
  const script = new Script('pattern.test(name)');
  return (name, attempts) => {
    sandbox.name = name;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const before = process.threadCpuUsage();
      try {
        return script.runInContext(context, { timeout: MATCH_TIMEOUT_MS }) === true ? 'valid' : 'invalid';
      } catch {
        const { user, system } = process.threadCpuUsage(before);
        if ((user + system) / 1_000 > MATCH_TIMEOUT_MS / 2) return 'undecided';
      }
    }
    return 'undecided';
  };
}

/** Long runs that nearly match: what a pattern with nested repetitions backtracks on. The bound is for what is missed. */
function hostileNames(pattern: string): string[] {
  const literals = pattern.match(/[A-Za-z0-9._-]+/g) ?? [];
  const usual = ['a', 'A', '_', 'a0', 'a.', 'a-', 'a_', 'aA', 'ab', 'aB0', 'a0.', 'a-b_'];
  const runs = new Set([...usual, ...literals, ...literals.join('').split('')]);
  const ends = ['', 'a', 'A', '0', '_', '.', '-', '$'];
  return [...runs].flatMap((run) =>
    ends.map((end) => run.repeat(MAX_USER_NAME_LENGTH).slice(0, MAX_USER_NAME_LENGTH - end.length) + end),
  );
}
