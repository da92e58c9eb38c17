/** What `${...}` in a property may refer to besides other properties. */
export interface ExpansionSources {
  /** For `${env.NAME}`. Passed in, so that nothing of our own environment gets into a configuration by accident. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For Java system properties such as `${user.name}`; like in Hadoop they win over properties of the same name. */
  readonly systemProperties: Readonly<Record<string, string>>;
  /** The unexpanded value of a property. */
  readonly property: (name: string) => string | undefined;
}

export type Expansion =
  | { readonly outcome: 'expanded'; readonly value: string }
  /** Hadoop throws here, for a loop as well as for 20 honest replacements. */
  | { readonly outcome: 'too-deep' };

const MAX_REPLACEMENTS = 20;
/** A result this long comes from no address and no URI; it stops values that double at every step. */
const MAX_LENGTH = 1 << 16;
/** The innermost variable, so that `${a.${b}}` resolves `${b}` first. A space ends the search, other blanks do not. */
const VARIABLE = /\$\{([^}$ ]+)\}/;

/**
 * Expands `${name}`, `${env.NAME}`, `${env.NAME-default}` (default if unset) and `${env.NAME:-default}` (if unset or
 * empty) as `Configuration.substituteVars` does: one variable at a time, the first one first; the first variable that
 * is unknown ends the expansion and stays with all that follows it; a value that contains a reference to itself leaves
 * the whole expression untouched.
 */
export function expandVariables(expression: string, sources: ExpansionSources): Expansion {
  let value = expression;
  for (let replacements = 0; replacements < MAX_REPLACEMENTS; replacements += 1) {
    const match = VARIABLE.exec(value);
    const name = match?.[1];
    if (match === null || name === undefined) return { outcome: 'expanded', value };
    const replacement = resolveVariable(name, sources);
    if (replacement === undefined) return { outcome: 'expanded', value };
    if (replacement.includes(match[0])) return { outcome: 'expanded', value: expression };
    value = value.slice(0, match.index) + replacement + value.slice(match.index + match[0].length);
    if (value.length > MAX_LENGTH) return { outcome: 'too-deep' };
  }
  return { outcome: 'too-deep' };
}

function resolveVariable(name: string, sources: ExpansionSources): string | undefined {
  return (
    (name.startsWith('env.') && name.length > 4
      ? fromEnvironment(name.slice(4), sources.environment)
      : own(sources.systemProperties, name)) ?? sources.property(name.trim())
  );
}

function fromEnvironment(
  reference: string,
  environment: ExpansionSources['environment'],
): string | undefined {
  const separator = /:-|-/.exec(reference);
  if (separator === null) return own(environment, reference);
  const found = own(environment, reference.slice(0, separator.index));
  const fallback = reference.slice(separator.index + separator[0].length);
  return found === undefined || (found === '' && separator[0] === ':-') ? fallback : found;
}

function own(record: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
