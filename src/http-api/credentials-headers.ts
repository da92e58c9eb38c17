import { type IssuedCredentials, LATEST_MS } from './credentials-document.ts';

/**
 * What a client needs to know that writes the file and reads neither it nor JSON (curl): when to ask again, how long what
 * it has can live, and the numbers under which it reports a token that Hadoop refused. Seconds from now on, so that the
 * client's clock need not agree with ours. With a 200 and a 304 alike, and in no ETag.
 */
export function credentialsHeaders(
  { tokens, refreshAfter }: IssuedCredentials,
  nowMs: number,
): Readonly<Record<string, string>> {
  const maxDates = tokens.map(({ token }) => token.maxDate).filter((maxDate) => maxDate <= LATEST_MS);
  const firstMaxDate = maxDates.reduce<bigint | undefined>(
    (first, maxDate) => (first === undefined || maxDate < first ? maxDate : first),
    undefined,
  );
  const sequenceNumbers = new Set(tokens.map(({ token }) => token.sequenceNumber));
  return {
    'Kerbridge-Refresh-After': String(Math.max(1, Math.ceil((refreshAfter - nowMs) / 1000))),
    ...(firstMaxDate === undefined
      ? {}
      : { 'Kerbridge-Valid-For': String(Math.max(0, Math.floor((Number(firstMaxDate) - nowMs) / 1000))) }),
    'Kerbridge-Sequence-Numbers': [...sequenceNumbers].join(','),
  };
}
