/*
 * `TokenReviewStatus.error` is one field for two things: why a token is not accepted, and why nobody could tell. An API
 * server that is cut off from etcd, or whose webhook authenticator is down, answers 201 with `authenticated` false and
 * something like `[invalid bearer token, Get "https://…": context deadline exceeded]`.
 */

/** How Go prints `%q` of a list of strings. */
const QUOTED_LIST = String.raw`\[(?:"(?:[^"\\]|\\.)*" ?)*\]`;

/**
 * Every text of a plain "no" for a service-account token in Kubernetes 1.36: `pkg/serviceaccount/{jwt,claims,legacy}.go`,
 * `apiserver/pkg/authentication/request/bearertoken`, and go-jose for signatures. Authenticators for people (OIDC, token
 * file, bootstrap tokens) aren't asked when a TokenReview names an audience that is not the API server's own.
 */
const REFUSALS: readonly RegExp[] = [
  'invalid bearer token',
  'invalid signature, no keys found',
  // Whatever go-jose has to say is about the token: it knows no network.
  String.raw`(?:go-jose|square)/go-jose(?:/jwt)?: (?:validation failed, )?[^,\[\]]*`,
  'token issuer "(?:[^"\\\\]|\\\\.)*" is invalid',
  `token audiences ${QUOTED_LIST} is invalid for the target audiences ${QUOTED_LIST}`,
  'service account token has expired',
  'service account token is not valid yet',
  'service account token is issued in the future',
  String.raw`service account token claims could not be validated: (?:go-jose|square)/go-jose/jwt: validation failed, [^,\[\]]*`,
  'service account token claims could not be validated due to unexpected validation error',
  'service account token has been invalidated',
  'serviceaccounts "[^"]*" not found',
  String.raw`service account UID \([^)]*\) does not match claim \([^)]*\)`,
  String.raw`service account [^\s,]+ has been deleted`,
  String.raw`secret UID \([^)]*\) does not match service account secret ref claim \([^)]*\)`,
  String.raw`pod UID \([^)]*\) does not match service account pod ref claim \([^)]*\)`,
  String.raw`node UID \([^)]*\) does not match service account node ref claim \([^)]*\)`,
  'token is bound to a Node object but the [A-Za-z]+ feature gate is disabled',
  '(?:sub|namespace|secretName|serviceAccountName|serviceAccountUID) claim is missing',
  'sub claim is invalid',
  'Token has been invalidated',
  "Token does not match server's copy",
  String.raw`ServiceAccount [^\s,]+ has been deleted`,
  String.raw`ServiceAccount UID \([^)]*\) does not match claim \([^)]*\)`,
  // Word by word: it has commas in it, and a gap would let anything through between two of its kind.
  String.raw`the token in secret \S+ for service account \S+ has been marked invalid\. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '[^',]*' label from the secret to temporarily allow use of this token`,
].map((source) => new RegExp(`(?:${source})(?:, |$)`, 'y'));

/**
 * True if `error` says nothing but that the token is not accepted. Go prints an aggregate of errors as `[a, b]`; a
 * single part that is not known makes the whole of it "could not tell".
 */
export function isPlainRefusal(error: string): boolean {
  const list = error.startsWith('[') && error.endsWith(']') ? error.slice(1, -1) : error;
  let position = 0;
  do {
    const end = endOfRefusal(list, position);
    if (end === undefined) return false;
    position = end;
  } while (position < list.length);
  // A separator with nothing behind it is cut off, and nobody knows what.
  return !list.endsWith(', ');
}

function endOfRefusal(list: string, position: number): number | undefined {
  for (const refusal of REFUSALS) {
    refusal.lastIndex = position;
    if (refusal.test(list)) return refusal.lastIndex;
  }
  return undefined;
}
