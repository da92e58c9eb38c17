/**
 * The `code` of a system or library error (`ENOENT`, `ECONNREFUSED` …), or `unknown`. Nothing else of the error: its
 * message and other properties may hold what must not be shown.
 *
 * Looks at the property and not at `instanceof Error`: an error may come from another realm (a worker, a VM context).
 */
export function errorCode(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return 'unknown';
  return typeof thrown.code === 'string' ? thrown.code : 'unknown';
}
