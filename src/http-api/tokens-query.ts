/** Which tokens to list; undefined: any. */
export interface TokensQuery {
  readonly user: string | undefined;
  readonly namespace: string | undefined;
}

export type TokensQueryResult =
  { readonly ok: true; readonly query: TokensQuery } | { readonly ok: false; readonly problem: string };

const KNOWN: readonly string[] = ['user', 'namespace'];
const MAX_LENGTH = 256;

/**
 * Reads the query of `GET /v1/tokens`, as strictly as that of `/v1/credentials`: an operator who is half understood
 * would take a part for the whole.
 * @param raw what follows the `?`, undecoded
 */
export function parseTokensQuery(raw: string): TokensQueryResult {
  const given = new Map<string, string>();
  for (const part of raw === '' ? [] : raw.split('&')) {
    const [name = '', ...rest] = part.split('=');
    const value = decode(rest.join('='));
    if (!KNOWN.includes(name)) return refuse(`unknown query parameter; known are ${KNOWN.join(', ')}`);
    if (value === undefined) return refuse('the query is not valid percent-encoded UTF-8');
    if (!/^[\x20-\x7e]+$/.test(value) || value.length > MAX_LENGTH) {
      return refuse(`${name} must be 1 to ${MAX_LENGTH} printable ASCII characters`);
    }
    if (given.has(name)) return refuse(`${name} can be given only once`);
    given.set(name, value);
  }
  return { ok: true, query: { user: given.get('user'), namespace: given.get('namespace') } };
}

function refuse(problem: string): TokensQueryResult {
  return { ok: false, problem };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
