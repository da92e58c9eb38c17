import { ownMember } from './own-member.ts';
import type { AnyTokenClaims, TokenClaims } from './token-claims.ts';
import { quote, refused, type TokenRefused } from './token-refused.ts';

/**
 * For `exp`, `nbf` and `iat`: the API server's clock may differ from ours. As much as the API server itself allows, which
 * is go-jose's `jwt.DefaultLeeway` (Kubernetes, `pkg/serviceaccount/claims.go`), so what it accepts is not refused here.
 */
export const CLOCK_LEEWAY_MS = 60_000;

export interface ClaimExpectations {
  readonly audience: string;
  readonly maxTokenLifetimeMs: number;
  /** ms since the epoch. */
  readonly now: number;
}

/**
 * Reads what every service-account token has out of a JWT payload, and compares with what is expected all but the issuer.
 * Whether anything of it is true is for the signature to say. Never throws.
 */
export function readAnyTokenClaims(
  payload: object,
  expected: ClaimExpectations,
): AnyTokenClaims | TokenRefused {
  const { audience, maxTokenLifetimeMs, now } = expected;

  // A legacy Secret's token for one: good for ever, and for whoever has read that Secret.
  // check: jwt-expiry-present
  if (!Object.hasOwn(payload, 'exp')) return refused('jwt-without-expiry');

  const registered = readRegisteredClaims(payload);
  // check: jwt-registered-claims
  if (registered === undefined) return refused('jwt-malformed', 'a registered claim is missing or no such');
  const { issuer, subject, audiences, issuedAt, notBefore, expiresAt } = registered;

  // check: jwt-single-audience
  if (audiences.length > 1)
    return refused('jwt-several-audiences', `the token names ${audiences.length} audiences`);
  // check: jwt-audience
  if (!audiences.includes(audience)) {
    const named = audiences[0] === undefined ? 'none' : quote(audiences[0]);
    return refused('jwt-audience-differs', `the token names the audience ${named}`);
  }

  // check: jwt-expired
  if (now - CLOCK_LEEWAY_MS > expiresAt)
    return refused('jwt-expired', `exp is ${seconds(now - expiresAt)} ago`);
  // check: jwt-not-before
  if (notBefore !== undefined && now + CLOCK_LEEWAY_MS < notBefore)
    return refused('jwt-not-yet-valid', `nbf is ${seconds(notBefore - now)} ahead`);
  // check: jwt-issued-at
  if (now + CLOCK_LEEWAY_MS < issuedAt)
    return refused('jwt-not-yet-valid', `iat is ${seconds(issuedAt - now)} ahead`);
  // check: jwt-lifetime
  if (expiresAt - issuedAt > maxTokenLifetimeMs) {
    const allowed = seconds(maxTokenLifetimeMs);
    return refused(
      'jwt-lifetime-too-long',
      `exp is ${seconds(expiresAt - issuedAt)} after iat, allowed are ${allowed}`,
    );
  }

  return { issuer, subject, issuedAt, expiresAt };
}

/** The same for a token that must be bound to a pod. */
export function readTokenClaims(payload: object, expected: ClaimExpectations): TokenClaims | TokenRefused {
  const claims = readAnyTokenClaims(payload, expected);
  if ('outcome' in claims) return claims;
  const { issuer, subject, issuedAt, expiresAt } = claims;

  const objects = ownMember(payload, 'kubernetes.io');
  const boundPod = ownMember(objects, 'pod');
  // check: jwt-pod-bound
  if (boundPod === undefined) return refused('jwt-without-pod');

  const namespace = readName(ownMember(objects, 'namespace'));
  const serviceAccount = readObjectReference(ownMember(objects, 'serviceaccount'));
  const pod = readObjectReference(boundPod);
  // check: jwt-private-claims
  if (namespace === undefined || serviceAccount === undefined || pod === undefined)
    return refused('jwt-malformed', 'a claim under kubernetes.io is missing or no such');
  // check: jwt-subject
  if (subject !== `system:serviceaccount:${namespace}:${serviceAccount.name}`)
    return refused('jwt-malformed', 'sub is another account than kubernetes.io says');

  return { issuer, issuedAt, expiresAt, namespace, serviceAccount, pod };
}

/** RFC 7519 section 4.1. Times in ms since the epoch. */
interface RegisteredClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  readonly expiresAt: number;
  readonly issuedAt: number;
  readonly notBefore: number | undefined;
}

function readRegisteredClaims(payload: object): RegisteredClaims | undefined {
  const issuer = ownMember(payload, 'iss');
  const subject = ownMember(payload, 'sub');
  const audiences = readAudiences(ownMember(payload, 'aud'));
  const expiresAt = readNumericDate(ownMember(payload, 'exp'));
  const issuedAt = readNumericDate(ownMember(payload, 'iat'));
  const notBefore = readNumericDate(ownMember(payload, 'nbf'));
  if (
    typeof issuer !== 'string' ||
    typeof subject !== 'string' ||
    audiences === undefined ||
    expiresAt === undefined ||
    issuedAt === undefined ||
    (notBefore === undefined && Object.hasOwn(payload, 'nbf'))
  )
    return undefined;
  return { issuer, subject, audiences, expiresAt, issuedAt, notBefore };
}

/** An API server writes a list, and reads a single string too. A token without any is a legacy one. */
function readAudiences(aud: unknown): readonly string[] | undefined {
  if (aud === undefined) return [];
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return audiences.every((each) => typeof each === 'string') ? audiences : undefined;
}

/** Whole seconds, as API servers write them; in ms. */
function readNumericDate(date: unknown): number | undefined {
  return typeof date === 'number' && Number.isSafeInteger(date) && date >= 0 ? date * 1000 : undefined;
}

/** What names, namespaces and UIDs are made of (RFC 1123 subdomains, UUIDs): harmless in a path, a log and a key. */
const NAME = /^[A-Za-z0-9.-]{1,253}$/;

function readName(name: unknown): string | undefined {
  return typeof name === 'string' && NAME.test(name) ? name : undefined;
}

function readObjectReference(
  reference: unknown,
): { readonly name: string; readonly uid: string } | undefined {
  const name = readName(ownMember(reference, 'name'));
  const uid = readName(ownMember(reference, 'uid'));
  return name === undefined || uid === undefined ? undefined : { name, uid };
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
