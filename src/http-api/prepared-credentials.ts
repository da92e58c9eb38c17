import { createHmac } from 'node:crypto';
import { createCredentialsDocument, type IssuedCredentials, LATEST_MS } from './credentials-document.ts';
import { BoundedWeakMap } from '../concurrency/bounded-weak-map.ts';
import type { CredentialsFormat } from './credentials-query.ts';

export const JSON_TYPE = 'application/json';
export const FILE_TYPE = 'application/octet-stream';
export type CredentialsType = typeof JSON_TYPE | typeof FILE_TYPE;

/** Results of which something is prepared; past this many new ones all are forgotten, and prepared as they are asked for. */
export const MAX_PREPARED = 2_048;

/** An answer but for the date in it. One byte a character, so that Node can write head and body as one text. */
export interface PreparedBody {
  readonly etag: string;
  /** The body up to the date of `refreshAfter`, and after it; undefined where there is none. */
  readonly start: string;
  readonly end: string | undefined;
}

export interface PreparationOptions {
  /** The bytes of a Hadoop credentials file with these tokens. */
  readonly encodeCredentials: (issued: IssuedCredentials, format: CredentialsFormat) => Uint8Array;
  /** Random, one per process: an ETag must not let anybody compare what they guess with a token's bytes. */
  readonly etagKey: Uint8Array;
}

/** What is the same in each answer with the same tokens: worked out when it is first needed, kept as long as the result. */
export class PreparedCredentials {
  readonly #options: PreparationOptions;
  readonly #results = new BoundedWeakMap<IssuedCredentials, PreparedResult>(MAX_PREPARED);

  constructor(options: PreparationOptions) {
    this.#options = options;
  }

  of(issued: IssuedCredentials): PreparedResult {
    const known = this.#results.get(issued);
    if (known !== undefined) return known;
    const made = new PreparedResult(issued, this.#options);
    this.#results.set(issued, made);
    return made;
  }
}

export class PreparedResult {
  readonly kinds: readonly string[];
  readonly sequenceNumbers: readonly number[];
  /** Each once, as a header has them. */
  readonly sequenceNumberList: string;
  /** ms since the epoch; undefined: none of the tokens has one that can be written. */
  readonly firstMaxDate: number | undefined;
  readonly #issued: IssuedCredentials;
  readonly #options: PreparationOptions;
  readonly #bodies: Variant[] = [];

  constructor(issued: IssuedCredentials, options: PreparationOptions) {
    const { tokens } = issued;
    const maxDates = tokens.map(({ token }) => token.maxDate).filter((maxDate) => maxDate <= LATEST_MS);
    this.kinds = [...new Set(tokens.map(({ source }) => source.kind))];
    this.sequenceNumbers = tokens.map(({ token }) => token.sequenceNumber);
    this.sequenceNumberList = [...new Set(this.sequenceNumbers)].join(',');
    this.firstMaxDate = maxDates.length === 0 ? undefined : Math.min(...maxDates.map(Number));
    this.#issued = issued;
    this.#options = options;
  }

  body(owner: string, type: CredentialsType, format: CredentialsFormat): PreparedBody {
    const known = this.#bodies.find(
      (each) => each.type === type && each.format === format && each.owner === owner,
    );
    if (known !== undefined) return known.body;
    const file = this.#options.encodeCredentials(this.#issued, format);
    const { etagKey } = this.#options;
    const body =
      type === FILE_TYPE ? prepareFile(file, etagKey) : prepareDocument(owner, this.#issued, file, etagKey);
    this.#bodies.push({ owner, type, format, body });
    return body;
  }
}

interface Variant {
  readonly owner: string;
  readonly type: CredentialsType;
  readonly format: CredentialsFormat;
  readonly body: PreparedBody;
}

function prepareFile(file: Uint8Array, etagKey: Uint8Array): PreparedBody {
  return { etag: `"${digest(file, etagKey)}"`, start: Buffer.from(file).toString('latin1'), end: undefined };
}

/**
 * `refreshAfter` is drawn anew for each answer and `expiresAt` moves with each renewal, so the ETag is a weak one that
 * leaves them out: who has the same tokens has dates that are as good. Not so with a kind missing, when the date is that
 * of the next try.
 */
function prepareDocument(
  owner: string,
  issued: IssuedCredentials,
  file: Uint8Array,
  etagKey: Uint8Array,
): PreparedBody {
  const { missing, ...document } = createCredentialsDocument(owner, issued, file);
  const lasting = {
    ...document,
    missing,
    tokens: document.tokens.map(({ expiresAt: _moves, ...token }) => token),
    ...(missing.length === 0 ? {} : { refresh: issued.refresh }),
  };
  return {
    etag: `W/"${digest(JSON.stringify(lasting), etagKey)}"`,
    start: `${inAscii(JSON.stringify(document)).slice(0, -1)},"refreshAfter":"`,
    end: `","missing":${inAscii(JSON.stringify(missing))}}`,
  };
}

function digest(lasting: string | Uint8Array, etagKey: Uint8Array): string {
  return createHmac('sha256', etagKey).update(lasting).digest('base64url');
}

/** The same JSON. */
function inAscii(json: string): string {
  return json.replaceAll(/[^\x20-\x7E]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
