import { Secret } from '../../observability/secret.ts';

/** A `hadoop.auth` cookie: proof, until it expires, that whoever sends it is the principal it was given to. */
export interface HadoopAuthCookie {
  /** Verbatim, quotes included: the server compares the signature over exactly these characters. */
  readonly value: Secret<string>;
  /** ms since the epoch; undefined when the server does not say. */
  readonly expiresAt: number | undefined;
}

export type CookieChange =
  { readonly change: 'set'; readonly cookie: HadoopAuthCookie } | { readonly change: 'cleared' };

const NAME = 'hadoop.auth';
/** Visible ASCII but `;`: anything else would be another header, or another cookie. */
const SENDABLE = /^[\x21-\x3A\x3C-\x7E]+$/u;

/**
 * What the Set-Cookie lines of a reply (`AuthenticationFilter.createAuthCookie`) say about `hadoop.auth`; undefined
 * when they don't mention it. The value is `u=..&p=..&t=kerberos&e=<expiry ms>&s=<signature>` in quotes; the cookie
 * carries no Max-Age, so `e` is the only expiry there is. Path and Domain are of no interest: a cookie of one endpoint
 * is sent to that endpoint only.
 */
export function readHadoopAuthCookie(setCookies: Secret<readonly string[]>): CookieChange | undefined {
  const line = setCookies.reveal().findLast((setCookie) => setCookie.trimStart().startsWith(`${NAME}=`));
  if (line === undefined) return undefined;
  const value = (
    line
      .trimStart()
      .slice(NAME.length + 1)
      .split(';')[0] ?? ''
  ).trim();
  if (value === '' || value === '""' || !SENDABLE.test(value)) return { change: 'cleared' };
  const expiry = /(?:^"?|&)e=(\d{1,15})(?:&|"|$)/u.exec(value)?.[1];
  return {
    change: 'set',
    cookie: { value: new Secret(value), expiresAt: expiry === undefined ? undefined : Number(expiry) },
  };
}

/** The Cookie header that sends it back. */
export function cookieHeader(cookie: HadoopAuthCookie): Secret<string> {
  return new Secret(`${NAME}=${cookie.value.reveal()}`);
}
