import type { CredentialsSelection } from '../delegation-tokens/credentials.ts';

export type CredentialsFormat = 'writable' | 'protobuf';

export interface CredentialsQuery {
  readonly selection: CredentialsSelection;
  readonly doAs: string | undefined;
  readonly format: CredentialsFormat;
}

export type CredentialsQueryResult =
  { readonly ok: true; readonly query: CredentialsQuery } | { readonly ok: false; readonly problem: string };

const MAX_NAMES = 16;
const MAX_NAME_LENGTH = 256;
const SINGLE = ['cluster', 'doAs', 'format'] as const;
const REPEATABLE = ['kind', 'optional'] as const;
const KNOWN: readonly string[] = [...SINGLE, ...REPEATABLE];

type Single = (typeof SINGLE)[number];
type Repeatable = (typeof REPEATABLE)[number];

/**
 * Reads the query of `GET /v1/credentials`. Strict where `URLSearchParams` is lenient: broken escapes, unknown names
 * and a single parameter given twice are refused, since a caller who is half understood gets the wrong tokens.
 * @param raw what follows the `?`, undecoded
 */
export function parseCredentialsQuery(raw: string): CredentialsQueryResult {
  const single = new Map<string, string>();
  const repeated: Record<Repeatable, string[]> = { kind: [], optional: [] };
  for (const part of raw === '' ? [] : raw.split('&')) {
    const equals = part.indexOf('=');
    const name = decode(equals === -1 ? part : part.slice(0, equals));
    const value = decode(equals === -1 ? '' : part.slice(equals + 1));
    if (name === undefined || value === undefined)
      return refuse('the query is not valid percent-encoded UTF-8');
    if (!isKnown(name)) return refuse(`unknown query parameter; known are ${KNOWN.join(', ')}`);
    if (!/^[\x20-\x7e]+$/.test(value) || value.length > MAX_NAME_LENGTH) {
      return refuse(`${name} must be 1 to ${MAX_NAME_LENGTH} printable ASCII characters`);
    }
    if (isRepeatable(name)) {
      if (!repeated[name].includes(value)) repeated[name].push(value);
      if (repeated[name].length > MAX_NAMES) return refuse(`${name} can be given at most ${MAX_NAMES} times`);
    } else {
      if (single.has(name)) return refuse(`${name} can be given only once`);
      single.set(name, value);
    }
  }
  if (repeated.optional.some((kind) => repeated.kind.includes(kind))) {
    return refuse('optional names a kind that kind names too');
  }
  const format = single.get('format') ?? 'writable';
  if (format !== 'writable' && format !== 'protobuf') return refuse('format must be writable or protobuf');
  const cluster = single.get('cluster');
  return {
    ok: true,
    query: {
      selection: {
        ...(cluster === undefined ? {} : { cluster }),
        ...(repeated.kind.length === 0 ? {} : { kinds: repeated.kind }),
        ...(repeated.optional.length === 0 ? {} : { optionalKinds: repeated.optional }),
      },
      doAs: single.get('doAs'),
      format,
    },
  };
}

function refuse(problem: string): CredentialsQueryResult {
  return { ok: false, problem };
}

function isKnown(name: string): name is Single | Repeatable {
  return KNOWN.includes(name);
}

function isRepeatable(name: Single | Repeatable): name is Repeatable {
  return name === 'kind' || name === 'optional';
}

/** Form decoding (`+` is a space), strict about escapes; undefined if it is broken. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
