import type { IncomingHttpHeaders } from 'node:http';

/** What an answer with credentials, or with "not modified", says of them. */
export interface AnswerFacts {
  readonly requestId: string;
  /** Empty: none that could be sent back. */
  readonly etag: string;
  readonly refreshAfterMs: number;
  /** ms since the epoch: the first maxDate; undefined: not known, or never. */
  readonly validUntil?: number;
  readonly sequenceNumbers?: readonly string[];
}

const DEFAULT_REFRESH_AFTER_SECONDS = 3600;
const MAX_REFRESH_AFTER_SECONDS = 86_400;

/** A server that asks for more is not waited for any longer: a file that waits is a token that ages. */
const MAX_RETRY_AFTER_SECONDS = 300;

export function answerFacts(headers: IncomingHttpHeaders, nowMs: number): AnswerFacts {
  const validFor = wholeSeconds(headers['kerbridge-valid-for']);
  const sequenceNumbers = headers['kerbridge-sequence-numbers'];
  return {
    requestId: requestIdOf(headers),
    etag: /^(?:W\/)?"[\x21\x23-\x7e]{0,250}"$/.test(headers.etag ?? '') ? (headers.etag ?? '') : '',
    refreshAfterMs: refreshAfterSeconds(headers, validFor) * 1000,
    ...(validFor === undefined ? {} : { validUntil: nowMs + validFor * 1000 }),
    ...(typeof sequenceNumbers === 'string' && /^-?\d{1,10}(?:,-?\d{1,10})*$/.test(sequenceNumbers)
      ? { sequenceNumbers: sequenceNumbers.split(',') }
      : {}),
  };
}

/** Whatever the server says: not later than in a day, nor than half of the time that the tokens have left. */
function refreshAfterSeconds(headers: IncomingHttpHeaders, validFor = Number.POSITIVE_INFINITY): number {
  const text = headers['kerbridge-refresh-after'];
  const isHuge = typeof text === 'string' && /^\d{10,}$/.test(text);
  const told = isHuge ? MAX_REFRESH_AFTER_SECONDS : (wholeSeconds(text) ?? DEFAULT_REFRESH_AFTER_SECONDS);
  return Math.max(1, Math.min(told, MAX_REFRESH_AFTER_SECONDS, Math.floor(validFor / 2)));
}

export function requestIdOf(headers: IncomingHttpHeaders): string {
  const value = headers['x-request-id'];
  return typeof value === 'string' ? printable(value) : '';
}

/** `Retry-After` in whole seconds; its other form, a date, would need the clocks to agree. */
export function retryAfterMsOf(headers: IncomingHttpHeaders): number {
  return Math.min(wholeSeconds(headers['retry-after']) ?? 0, MAX_RETRY_AFTER_SECONDS) * 1000;
}

/** More than nine digits, some thirty years, is no time that anybody means. */
function wholeSeconds(text: string | string[] | undefined): number | undefined {
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Longer than any word, code or request id, and shorter than what of a JWT or a delegation token could be used. */
const CREDENTIAL_LIKE = /[\w+/=-]{40,}/g;

/**
 * What a server says is shown to a person: one line, no control bytes, bounded, and nothing that may be a credential: a
 * proxy that is set up wrongly says back what it was sent.
 */
export function printable(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replaceAll(CREDENTIAL_LIKE, '[redacted]')
    .slice(0, 200);
}
