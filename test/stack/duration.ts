const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads `500ms`, `20s`, `10m`, `24h`, `7d` as milliseconds.
 * @throws Error that says what is wanted, for anything else: no unit, zero, a sign, a fraction.
 */
export function parseDurationMs(text: string): number {
  const match = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text);
  const unitMs = unitsMs[match?.[2] ?? ''];
  const durationMs = unitMs === undefined ? 0 : Number(match?.[1]) * unitMs;
  if (durationMs <= 0) {
    throw new Error(
      `not a duration: ${JSON.stringify(text)}; write a whole number and ms, s, m, h or d, as in 20s`,
    );
  }
  return durationMs;
}
