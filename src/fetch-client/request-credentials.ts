import { CodecError } from '../hadoop/codec/codec-error.ts';
import { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import { answerFacts, type AnswerFacts } from './answer-facts.ts';
import { describeCredentials } from './describe-credentials.ts';
import { exchange, type HttpAnswer, NoAnswerError } from './exchange.ts';
import { contentTypeOf, judgeProblem, type NotReached, type Refusal } from './judge-problem.ts';
import { withoutToken } from './without-token.ts';

/** Which credentials: what goes into the query. */
export interface CredentialsSelection {
  readonly cluster?: string;
  readonly kinds?: readonly string[];
  readonly optionalKinds?: readonly string[];
  readonly doAs?: string;
  readonly format?: 'writable' | 'protobuf';
}

/** Whom to ask, and with what. */
export interface Contact {
  /** Base URL of `kerbridge serve`, `http(s)://host[:port][/prefix]`. */
  readonly url: URL;
  readonly serviceAccountToken: Secret<string>;
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface CredentialsQuery extends Contact, CredentialsSelection {
  /** Of what we have: the answer may be that it is still the same. */
  readonly etag?: string;
}

export type CredentialsReply =
  /** A whole, decodable Hadoop credentials file with at least one token: another would only replace a good one. */
  | {
      readonly outcome: 'received';
      readonly file: Secret<Uint8Array>;
      readonly tokenCount: number;
      readonly facts: AnswerFacts;
    }
  | { readonly outcome: 'not-modified'; readonly facts: AnswerFacts }
  | Refusal
  | NotReached;

/** Asks once for the credentials of the pod whose service-account token is given. Never rejects. */
export async function requestCredentials(query: CredentialsQuery): Promise<CredentialsReply> {
  const { etag = '' } = query;
  try {
    const given = await exchange({
      ...query,
      url: credentialsUrl(query),
      method: 'GET',
      headers: {
        Authorization: `Bearer ${query.serviceAccountToken.reveal()}`,
        Accept: 'application/octet-stream',
        ...(etag === '' ? {} : { 'If-None-Match': etag }),
      },
    });
    const answer = withoutToken(given, query.serviceAccountToken);
    return answer.status === 304 && etag !== ''
      ? { outcome: 'not-modified', facts: answerFacts(answer.headers, query.clock.now()) }
      : judgeAnswer(answer, query.clock.now());
  } catch (error) {
    return notReached(error instanceof NoAnswerError ? error.message : 'unexpected');
  }
}

/** The path of the API below the URL, which may have a prefix. */
export function apiUrl(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  url.search = '';
  url.hash = '';
  return url;
}

function credentialsUrl(query: CredentialsQuery): URL {
  const url = apiUrl(query.url, '/v1/credentials');
  if (query.cluster !== undefined) url.searchParams.set('cluster', query.cluster);
  for (const kind of query.kinds ?? []) url.searchParams.append('kind', kind);
  for (const kind of query.optionalKinds ?? []) url.searchParams.append('optional', kind);
  if (query.doAs !== undefined) url.searchParams.set('doAs', query.doAs);
  if (query.format !== undefined) url.searchParams.set('format', query.format);
  return url;
}

function judgeAnswer(answer: HttpAnswer, nowMs: number): CredentialsReply {
  const { status, headers, body } = answer;
  if (status !== 200 || contentTypeOf(headers) !== 'application/octet-stream') return judgeProblem(answer);
  const facts = answerFacts(headers, nowMs);
  try {
    const { tokenCount, ...described } = describeCredentials(body);
    if (tokenCount === 0) return notReached('no delegation token in the answer', facts.requestId);
    // The headers win: their seconds count from now on, whatever the clocks say.
    return {
      outcome: 'received',
      file: new Secret<Uint8Array>(body),
      tokenCount,
      facts: { ...described, ...facts },
    };
  } catch (error) {
    const reason = error instanceof CodecError ? error.code : 'not decodable';
    return notReached(`the reply is not a credentials file: ${reason}`, facts.requestId);
  }
}

export function notReached(reason: string, requestId = ''): NotReached {
  return { outcome: 'not-reached', reason, requestId, retryAfterMs: 0 };
}
