import { Secret } from '../../src/observability/secret.ts';
import { type ServiceAccountIssuer, SigningKeys } from '../../src/authentication/signing-keys.ts';
import { createTokenFilter } from '../../src/authentication/token-filter.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeTokenIssuer, ISSUER, podClaims } from './fake-token-issuer.ts';

export const AUDIENCE = 'kerbridge';
const HOUR_MS = 3_600_000;
export const apiServer = new FakeTokenIssuer();
export const attacker = new FakeTokenIssuer();
export const now = new FakeClock().now();
export const CLAIMS = podClaims(now);
export const OBJECTS = CLAIMS['kubernetes.io'] as Record<string, object>;

export function setUp({ issuers = [] as readonly string[] } = {}) {
  const clock = new FakeClock();
  const published = {
    reads: 0,
    read: (): Promise<ServiceAccountIssuer> =>
      Promise.resolve({ issuer: ISSUER, keys: published.listed.map(({ jwk }) => jwk) }),
    listed: [apiServer],
  };
  const readIssuer = (): Promise<ServiceAccountIssuer> => {
    published.reads += 1;
    return published.read();
  };
  const keys = new SigningKeys({ readIssuer, clock });
  const filterToken = createTokenFilter({
    keys,
    audience: AUDIENCE,
    issuers,
    maxTokenLifetimeMs: HOUR_MS,
    clock,
  });
  const filter = (compact: string, options: { signal?: AbortSignal } = {}) =>
    filterToken(new Secret(compact), options);
  return { clock, keys, published, filter };
}

/** A token signed by the API server, with claims and header parameters changed; undefined takes one away. */
export const signed = (claims: object = {}, header: Record<string, unknown> = {}): Promise<string> =>
  apiServer.sign({ ...CLAIMS, ...claims }, header);
export const bound = (objects: object): Promise<string> =>
  signed({ 'kubernetes.io': { ...OBJECTS, ...objects } });
export const at = (claim: string, offsetSeconds: number): Promise<string> =>
  signed({ [claim]: Math.floor(now / 1000) + offsetSeconds });
export const text = (payload: string | Buffer, header: string | Buffer = JSON.stringify(HEADER)): string =>
  apiServer.signText(header, payload);
export const HEADER = { alg: 'RS256', kid: apiServer.keyId };
export const base64url = (value: string): string => Buffer.from(value).toString('base64url');

export async function partsOf(compact: Promise<string>): Promise<readonly [string, string, string]> {
  const [header = '', payload = '', signature = ''] = (await compact).split('.');
  return [header, payload, signature];
}
