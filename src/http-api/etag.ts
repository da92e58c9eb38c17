/**
 * Whether `If-None-Match` names the ETag (RFC 9110, 13.1.2: weak comparison, a list, or `*`).
 *
 * Not Express's `request.fresh`: that takes a request's `Cache-Control: no-cache`, which is meant for caches on the way
 * and which fetch() sends with every If-None-Match, for a reason to send all again.
 */
export function matchesETag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const opaque = etag.replace(/^W\//, '');
  return ifNoneMatch.split(',').some((each) => {
    const candidate = each.trim();
    return candidate === '*' || candidate.replace(/^W\//, '') === opaque;
  });
}
