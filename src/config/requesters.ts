import { ConfigError, type ConfigProblem } from './config-problem.ts';
import { explainIssue } from './explain-issue.ts';
import { groupProblems } from './identity-rules.ts';
import { deepFreeze, isMapping, valueAt } from './plain-data.ts';
import { readYaml } from './read-yaml.ts';
import { type EXEMPT_FROM, requestersSchema } from './requesters-schema.ts';

/** A requesters file (`requestersFile`), checked. Every `group:<name>` in it is one of `groups`. */
export interface RequestersFile {
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Exact user names, or `builtin`. */
  readonly trustedControllers: readonly string[];
  readonly delegates: readonly {
    readonly account: string;
    readonly users: readonly string[];
    readonly namespaces: readonly string[];
    readonly withoutUser: 'refuse' | 'as-others';
  }[];
  readonly rules: readonly (WhoIsMeant & {
    readonly result: 'refuse' | { readonly user: string; readonly lowerCase: boolean };
  })[];
  readonly otherRequesters: 'themselves' | 'none';
  readonly exempt: readonly (WhoIsMeant & { readonly from: readonly (typeof EXEMPT_FROM)[number][] })[];
}

interface WhoIsMeant {
  /** undefined: all. */
  readonly usernames: readonly string[] | undefined;
  readonly groups: readonly string[] | undefined;
  readonly namespaces: readonly string[] | undefined;
}

/** Throws a {@link ConfigError} of all problems. Values are not repeated in it. */
export function parseRequesters(text: string): RequestersFile {
  const yaml = readYaml(text);
  if (!yaml.ok) throw new ConfigError(yaml.problems);
  const parsed = requestersSchema.safeParse(yaml.value);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap(explainIssue)),
    ...crossCheck(yaml.value),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  const { groups, trustedControllers, delegates, rules, otherRequesters, exempt } = parsed.data;
  return deepFreeze({
    groups: new Map(Object.entries(groups)),
    trustedControllers,
    delegates,
    rules: rules.map(({ user, lowerCase, ...rule }) => ({
      ...toWho(rule),
      result: user === undefined ? ('refuse' as const) : { user, lowerCase },
    })),
    otherRequesters,
    exempt: exempt.map(({ from, ...entry }) => ({ ...toWho(entry), from })),
  });
}

function toWho({ usernames, groups, namespaces }: Partial<WhoIsMeant>): WhoIsMeant {
  return { usernames, groups, namespaces };
}

/** What no single key can tell. `input` may be of any shape: the schema complains about that. */
function crossCheck(input: unknown): ConfigProblem[] {
  if (!isMapping(input)) return [];
  const problems = groupProblems(input, ['delegates']);
  const { trustedControllers, delegates } = input;
  const controllers = new Set(Array.isArray(trustedControllers) ? (trustedControllers as unknown[]) : []);
  (Array.isArray(delegates) ? (delegates as unknown[]) : []).forEach((delegate, index) => {
    const account = valueAt(delegate, 'account');
    if (typeof account === 'string' && controllers.has(account)) {
      problems.push({
        path: `delegates[${index}].account`,
        message: 'is one of trustedControllers too, which would win: remove one of the two',
      });
    }
  });
  return problems;
}
