import type { PreparedResult } from './prepared-credentials.ts';

/** When one answer is given, and when its caller should ask again: ms since the epoch. */
export interface AnswerTimes {
  readonly now: number;
  readonly refreshAfter: number;
}

/**
 * What a client needs to know that writes the file and reads neither it nor JSON (curl): when to ask again, how long what
 * it has can live, and the numbers under which it reports a token that Hadoop refused. Seconds from now on, so that the
 * client's clock need not agree with ours. With a 200 and a 304 alike, and in no ETag. Names and values in turn.
 */
export function credentialsHeaders(
  { firstMaxDate, sequenceNumberList }: Pick<PreparedResult, 'firstMaxDate' | 'sequenceNumberList'>,
  { now, refreshAfter }: AnswerTimes,
): string[] {
  const headers = [
    'Kerbridge-Refresh-After',
    String(Math.max(1, Math.ceil((refreshAfter - now) / 1000))),
    'Kerbridge-Sequence-Numbers',
    sequenceNumberList,
  ];
  if (firstMaxDate !== undefined) {
    headers.push('Kerbridge-Valid-For', String(Math.max(0, Math.floor((firstMaxDate - now) / 1000))));
  }
  return headers;
}
