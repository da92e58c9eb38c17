/** How a watcher stands: the content of `<output>.status`. Times are ms since the epoch. */
export interface WatchStatus {
  readonly state: 'ok' | 'waiting' | 'refused';
  readonly writtenAt: number;
  readonly nextTryAt: number;
  /** The first maxDate among the tokens; undefined: not known, or never. */
  readonly validUntil: number | undefined;
  readonly requestId: string;
  readonly etag: string;
  readonly sequenceNumbers: readonly string[];
  /** Why not `ok`. */
  readonly reason: string;
}

/** Lines of `name=value`, for shells too; seconds. */
export function formatStatus(status: WatchStatus): string {
  const lines: Readonly<Record<keyof WatchStatus, string>> = {
    state: status.state,
    writtenAt: String(Math.floor(status.writtenAt / 1000)),
    nextTryAt: String(Math.ceil(status.nextTryAt / 1000)),
    validUntil: status.validUntil === undefined ? '' : String(Math.floor(status.validUntil / 1000)),
    requestId: status.requestId,
    etag: status.etag,
    sequenceNumbers: status.sequenceNumbers.join(','),
    reason: status.reason.replaceAll(/[\r\n]+/g, ' '),
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Undefined for what no watcher wrote. */
export function parseStatus(text: string): WatchStatus | undefined {
  const values = new Map(
    text.split('\n').map((line) => {
      const end = line.indexOf('=');
      return [line.slice(0, Math.max(0, end)), line.slice(end + 1)] as const;
    }),
  );
  const state = values.get('state');
  if (state !== 'ok' && state !== 'waiting' && state !== 'refused') return undefined;
  const sequenceNumbers = values.get('sequenceNumbers') ?? '';
  return {
    state,
    writtenAt: milliseconds(values.get('writtenAt')) ?? 0,
    nextTryAt: milliseconds(values.get('nextTryAt')) ?? 0,
    validUntil: milliseconds(values.get('validUntil')),
    requestId: values.get('requestId') ?? '',
    etag: values.get('etag') ?? '',
    sequenceNumbers: /^-?\d+(?:,-?\d+)*$/.test(sequenceNumbers) ? sequenceNumbers.split(',') : [],
    reason: values.get('reason') ?? '',
  };
}

function milliseconds(seconds: string | undefined): number | undefined {
  return seconds !== undefined && /^\d{1,12}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}
