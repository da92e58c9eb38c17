import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { CompactSign, type JWK } from 'jose';

const KEY_PAIRS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
};
export type FakeAlgorithm = keyof typeof KEY_PAIRS;

export const ISSUER = 'https://kubernetes.default.svc';

/** The claims of a projected token as API server 1.36 writes them, good for an hour from `now` (ms since the epoch). */
export function podClaims(now: number, audience = 'kerbridge'): Record<string, unknown> {
  const issuedAt = Math.floor(now / 1000);
  return {
    aud: [audience],
    exp: issuedAt + 3600,
    iat: issuedAt,
    iss: ISSUER,
    jti: '6f1c0f5e-6a9f-4c32-8f43-0d4f2a9a8f11',
    'kubernetes.io': {
      namespace: 'team-a',
      node: { name: 'node-1', uid: '5c0b4f0c-6b3e-4f3e-8a83-4b7cb3f7a0d2' },
      pod: { name: 'job-1', uid: '0a9c3e62-94e6-4a36-a6e1-2f8d5f7a7b10' },
      serviceaccount: { name: 'trainer', uid: '9a2f4b58-3a63-4c0e-b7a5-6d1f0c2e4b99' },
    },
    nbf: issuedAt,
    sub: 'system:serviceaccount:team-a:trainer',
  };
}

/** One signing key of an API server. Its `kid` is made as the API server makes it: base64url(SHA-256(SPKI)). */
export class FakeTokenIssuer {
  readonly algorithm: FakeAlgorithm;
  readonly keyId: string;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor(algorithm: FakeAlgorithm = 'RS256') {
    const { publicKey, privateKey } = KEY_PAIRS[algorithm]();
    this.algorithm = algorithm;
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
    this.keyId = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url');
  }

  /** As `/openid/v1/jwks` lists it. */
  get jwk(): JWK {
    return { use: 'sig', alg: this.algorithm, kid: this.keyId, ...this.publicKey.export({ format: 'jwk' }) };
  }

  /** A member that is undefined is left out. */
  async sign(claims: unknown, header: Record<string, unknown> = {}): Promise<string> {
    const payload = new TextEncoder().encode(JSON.stringify(claims));
    const protectedHeader = { alg: this.algorithm, kid: this.keyId, ...header };
    return await new CompactSign(payload).setProtectedHeader(protectedHeader).sign(this.#privateKey);
  }

  /** Signs texts that no library would make. RS256 only. */
  signText(header: string | Buffer, payload: string | Buffer): string {
    const signed = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), this.#privateKey).toString('base64url')}`;
  }
}
