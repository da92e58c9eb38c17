const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** setTimeout takes no more than this; a longer one would fire at once. */
export const MAX_DURATION_MS = 2_147_483_647;

/** `20s`, `5m`, `10h`, `7d`, `250ms` → milliseconds; undefined if it is something else, zero, or beyond 24 days. */
export function parseDuration(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^([1-9][0-9]{0,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) return undefined;
  const ms = Number(digits) * unitMs;
  return ms <= MAX_DURATION_MS ? ms : undefined;
}

/** Of a text that the schema has let through, in ms. Throws RangeError for any other. */
export function milliseconds(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new RangeError(`not a duration: ${text}`);
  return ms;
}
