/** A Kerberos principal name taken apart; components and realm are unescaped. */
export interface Principal {
  /** At least one; `kerbridge/host.example.com` has two. */
  readonly components: readonly string[];
  /** Undefined when the name did not say. */
  readonly realm: string | undefined;
}

/** The text is no principal name. */
export class PrincipalError extends Error {
  override readonly name = 'PrincipalError';
}

const UNESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t', b: '\b', '0': '\0' };
const ESCAPED: Readonly<Record<string, string>> = { '\n': 'n', '\t': 't', '\b': 'b', '\0': '0' };

const refuse = (problem: string): never => {
  throw new PrincipalError(`the principal ${problem}; write it as name@REALM or name/instance@REALM`);
};

/**
 * Reads `name[/instance]*[@REALM]` with the escapes of MIT's krb5_parse_name(3): a backslash makes `/`, `@` and itself
 * ordinary characters, and `\n \t \b \0` are the usual control characters.
 * Throws {@link PrincipalError}.
 */
export const parsePrincipal = (text: string): Principal => {
  const components: string[] = [];
  let part = '';
  let inRealm = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') {
      index += 1;
      if (index >= text.length) {
        return refuse('ends in a lone backslash');
      }
      const escaped = text.charAt(index);
      part += UNESCAPED[escaped] ?? escaped;
    } else if (character === '@') {
      if (inRealm) {
        return refuse("has more than one '@'");
      }
      components.push(part);
      part = '';
      inRealm = true;
    } else if (character === '/' && !inRealm) {
      components.push(part);
      part = '';
    } else {
      part += character;
    }
  }
  if (inRealm) {
    if (part === '') {
      return refuse("has no realm after '@'");
    }
  } else {
    components.push(part);
  }
  if (components.some((component) => component === '')) {
    return refuse('has an empty part');
  }
  return { components, realm: inRealm ? part : undefined };
};

const escape = (part: string, special: RegExp): string =>
  part.replaceAll(special, (character) => `\\${ESCAPED[character] ?? character}`);

/** The inverse of {@link parsePrincipal}, in the form of krb5_unparse_name(3): equal principals give equal texts. */
export const formatPrincipal = ({ components, realm }: Principal): string => {
  // In a realm '/' is an ordinary character; krb5_unparse_name leaves it alone there.
  const name = components.map((component) => escape(component, /[\\/@\n\t\b\0]/gu)).join('/');
  return realm === undefined ? name : `${name}@${escape(realm, /[\\@\n\t\b\0]/gu)}`;
};

/** The first component: what Hadoop's default rule (`hadoop.security.auth_to_local` DEFAULT) makes of a local principal. */
export const shortName = (principal: string): string => parsePrincipal(principal).components[0] ?? '';
