import { ConfigError, type ConfigProblem, formatPath } from './config-problem.ts';
import { explainIssue } from './explain-issue.ts';
import { isMapping } from './plain-data.ts';
import { GROUP_NAME, GROUP_PREFIX, identityRulesSchema } from './identity-rules-schema.ts';
import { readYaml } from './read-yaml.ts';

/** A rules file (`identity.rulesFile`), checked. Every `group:<name>` in it is one of `groups`. */
export interface IdentityRulesFile {
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

/** Throws a {@link ConfigError} of all problems. Values are not repeated in it. */
export function parseIdentityRules(text: string): IdentityRulesFile {
  const yaml = readYaml(text);
  if (!yaml.ok) throw new ConfigError(yaml.problems);
  const parsed = identityRulesSchema.safeParse(yaml.value);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap(explainIssue)),
    ...crossCheck(yaml.value),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  const { groups, namespaces = [], otherNamespaces = 'any', doAs, denyUsers } = parsed.data;
  return {
    groups: new Map(Object.entries(groups)),
    namespaces,
    otherNamespaces,
    doAs: doAs.map((rule) => ({ ...rule, namespaces: rule.namespaces })),
    denyUsers,
  };
}

/** What no single key can tell. `input` may be of any shape: the schema complains about that. */
function crossCheck(input: unknown): ConfigProblem[] {
  if (!isMapping(input)) return [];
  const problems = groupProblems(input, ['namespaces', 'doAs']);
  if (input['namespaces'] !== undefined && input['otherNamespaces'] === undefined) {
    problems.push({
      path: 'otherNamespaces',
      message:
        'is required with namespaces: write none, or any to leave namespaces that no rule names open to all users',
    });
  }
  return problems;
}

/** Names of groups that can't be, and groups that `sections` name and nobody has defined. */
export function groupProblems(
  input: Readonly<Record<string, unknown>>,
  sections: readonly string[],
): ConfigProblem[] {
  const defined = isMapping(input['groups']) ? Object.keys(input['groups']) : [];
  const malformed = defined
    .filter((group) => !GROUP_NAME.test(group))
    .map((group) => ({
      path: formatPath(['groups', group]),
      message:
        'the name of a group is 1 to 255 of A-Z, a-z, 0-9, ".", "_" and "-", and starts with a letter or digit',
    }));
  const groups = new Set(defined);
  const undefinedOnes = sections
    .flatMap((section) => textsOf(input[section], [section]))
    .filter(({ text }) => {
      const group = text.startsWith(GROUP_PREFIX) ? text.slice(GROUP_PREFIX.length) : '';
      return GROUP_NAME.test(group) && !groups.has(group);
    })
    .map(({ path }) => ({ path: formatPath(path), message: 'no such group; name it under groups' }));
  return [...malformed, ...undefinedOnes];
}

function textsOf(
  value: unknown,
  path: PropertyKey[],
): { readonly path: PropertyKey[]; readonly text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((each: unknown, index) => textsOf(each, [...path, index]));
  if (isMapping(value)) return Object.entries(value).flatMap(([key, each]) => textsOf(each, [...path, key]));
  return [];
}
