const MAX_QUOTED_LENGTH = 64;

/** Of a text that may hold anything and be of any length; beyond ASCII it could turn round what stands beside it. */
export function quote(text: string): string {
  const short = JSON.stringify(text.slice(0, MAX_QUOTED_LENGTH));
  return short.replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
