import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  X509Certificate,
} from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CompactSign, decodeJwt, decodeProtectedHeader } from 'jose';
import { Secret } from '../../src/observability/secret.ts';
import { clusterFiles } from '../stack/kubernetes/cluster-files.ts';
import { stackPaths } from '../stack/paths.ts';
import type { Stack } from '../stack/stack.ts';

const TLS = join(import.meta.dirname, '../fixtures/tls');
const DAY_S = 86_400;

/** Of a pod-bound token of Kubernetes; times in seconds since the epoch. */
export interface PodTokenClaims {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly pod: { readonly name: string; readonly uid: string };
    readonly serviceaccount: { readonly name: string; readonly uid: string };
  };
}

export interface Change {
  /** Fields over those of the real header; undefined takes one away. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Claims over the real ones; undefined takes one away. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Default: the API server's own. Bytes are the secret of an HMAC. */
  readonly key?: KeyObject | Uint8Array;
}

interface Materials {
  readonly claims: PodTokenClaims;
  readonly forger: TokenForger;
  readonly sign: (change: Change) => Promise<string>;
}

type Forgery = (materials: Materials) => Promise<string> | string;

/**
 * Each is a real token but for one thing. All but those of the wrong key or algorithm have a right signature: the stack's
 * own key made it.
 */
const forgeries = {
  // Algorithm and signature.
  'alg: none': ({ claims }) => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`,
  'alg: none with the kid': ({ claims, forger: { kid } }) =>
    `${encode({ alg: 'none', kid })}.${encode(claims)}.`,
  'alg: NoNe': ({ claims, forger: { kid } }) => `${encode({ alg: 'NoNe', kid })}.${encode(claims)}.`,
  'HS256 with the public key in PEM': ({ sign, forger }) =>
    sign({
      header: { alg: 'HS256' },
      key: Buffer.from(forger.publicKey.export({ type: 'spki', format: 'pem' })),
    }),
  'HS256 with the public key in DER': ({ sign, forger }) =>
    sign({ header: { alg: 'HS256' }, key: forger.publicKey.export({ type: 'spki', format: 'der' }) }),
  'PS256 with the right key': ({ sign }) => sign({ header: { alg: 'PS256' } }),
  'ES256 with another key and the right kid': ({ sign, forger }) =>
    sign({ header: { alg: 'ES256' }, key: forger.ellipticKey }),
  'signature cut off': async ({ sign }) => {
    const token = await sign({});
    return token.slice(0, token.lastIndexOf('.') + 1);
  },
  'signature of other claims': async ({ sign }) => {
    const [header, payload] = (await sign({})).split('.');
    const [, , signature] = (await sign({ claims: { jti: randomUUID() } })).split('.');
    return `${header}.${payload}.${signature}`;
  },
  'another key with the right kid': ({ sign, forger }) => sign({ key: forger.otherKey }),
  'another key with an unknown kid': ({ sign, forger }) =>
    sign({ key: forger.otherKey, header: { kid: randomUUID() } }),
  'another key without a kid': ({ sign, forger }) =>
    sign({ key: forger.otherKey, header: { kid: undefined } }),
  'the right key with an unknown kid': ({ sign }) => sign({ header: { kid: randomUUID() } }),
  'the right key without a kid': ({ sign }) => sign({ header: { kid: undefined } }),
  // Headers that say where the key is.
  'embedded jwk': ({ sign, forger }) =>
    sign({
      key: forger.otherKey,
      header: { jwk: createPublicKey(forger.otherKey).export({ format: 'jwk' }) },
    }),
  jku: ({ sign, forger }) => sign({ key: forger.otherKey, header: { jku: `${forger.keyServer}/jwks` } }),
  'jku with an unknown kid': ({ sign, forger }) =>
    sign({ key: forger.otherKey, header: { jku: `${forger.keyServer}/jwks`, kid: 'other' } }),
  x5u: ({ sign, forger }) =>
    sign({ key: forger.ellipticKey, header: { alg: 'ES256', x5u: `${forger.keyServer}/certificate` } }),
  x5c: ({ sign, forger }) =>
    sign({
      key: forger.ellipticKey,
      header: { alg: 'ES256', x5c: [forger.certificate.raw.toString('base64')] },
    }),
  'crit that nobody knows': ({ sign }) => sign({ header: { crit: ['x-forged'], 'x-forged': true } }),
  // Claims.
  'wrong issuer': ({ sign }) => sign({ claims: { iss: 'https://kubernetes.example' } }),
  'no issuer': ({ sign }) => sign({ claims: { iss: undefined } }),
  'another audience': ({ sign }) => sign({ claims: { aud: ['somebody-else'] } }),
  'no audience': ({ sign }) => sign({ claims: { aud: undefined } }),
  'several audiences': ({ sign, claims }) => sign({ claims: { aud: [...claims.aud, 'somebody-else'] } }),
  expired: ({ sign, claims: { iat } }) =>
    sign({ claims: { iat: iat - 7200, nbf: iat - 7200, exp: iat - 3600 } }),
  'no expiry': ({ sign }) => sign({ claims: { exp: undefined } }),
  'not yet valid': ({ sign, claims: { iat } }) => sign({ claims: { nbf: iat + 1800 } }),
  'issued in the future': ({ sign, claims: { iat } }) => sign({ claims: { iat: iat + 1800 } }),
  'valid for 400 days': ({ sign, claims: { iat } }) => sign({ claims: { exp: iat + 400 * DAY_S } }),
  'another pod UID': (materials) => inKubernetes(materials, { pod: { uid: randomUUID() } }),
  'another pod name': (materials) => inKubernetes(materials, { pod: { name: 'another' } }),
  // The node is that of the pod; it says nothing alone.
  'no pod': (materials) => inKubernetes(materials, { pod: undefined, node: undefined }),
  'another account UID': (materials) => inKubernetes(materials, { serviceaccount: { uid: randomUUID() } }),
  'another account name': (materials) => inKubernetes(materials, { serviceaccount: { name: 'another' } }),
  'another namespace': (materials) => inKubernetes(materials, { namespace: 'default' }),
  'another subject': ({ sign }) => sign({ claims: { sub: 'system:serviceaccount:kube-system:default' } }),
} satisfies Record<string, Forgery>;

export type ForgeryName = keyof typeof forgeries;

export const FORGERIES = Object.keys(forgeries) as ForgeryName[];

/**
 * Makes forged service-account tokens out of real ones, with the signing key of the stack's API server. Serves its own
 * keys on loopback, for the headers that name a place to get them: nobody should ever ask.
 */
export class TokenForger implements AsyncDisposable {
  /** As the API server computes it: the SHA-256 of the public key (SPKI, DER) in base64url. */
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** RSA of 2048 bits, as the right one. */
  readonly otherKey: KeyObject;
  /** P-256, with a certificate. */
  readonly ellipticKey: KeyObject;
  readonly certificate: X509Certificate;
  /** `http://127.0.0.1:port`. */
  readonly keyServer: string;
  /** Paths that somebody has asked the key server for. */
  readonly fetches: string[] = [];
  readonly #key: KeyObject;
  readonly #server: Server;

  private constructor(key: string, tls: { readonly key: string; readonly cert: string }, server: Server) {
    this.#key = createPrivateKey(key);
    this.publicKey = createPublicKey(key);
    const der = this.publicKey.export({ type: 'spki', format: 'der' });
    this.kid = createHash('sha256').update(der).digest('base64url');
    this.otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    this.ellipticKey = createPrivateKey(tls.key);
    this.certificate = new X509Certificate(tls.cert);
    this.#server = server;
    this.keyServer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const jwk = createPublicKey(this.otherKey).export({ format: 'jwk' });
    const keys = [this.kid, 'other'].map((kid) => ({ ...jwk, kid, alg: 'RS256', use: 'sig' }));
    server.on('request', ({ url }, response) => {
      this.fetches.push(url ?? '');
      response.end(url === '/certificate' ? tls.cert : JSON.stringify({ keys }));
    });
  }

  static async create({ dir }: Pick<Stack, 'dir'>): Promise<TokenForger> {
    const key = await readFile(clusterFiles(stackPaths(dir)).serviceAccountKey, 'utf8');
    const read = (file: string): Promise<string> => readFile(join(TLS, file), 'utf8');
    const tls = { key: await read('localhost.key'), cert: await read('localhost.crt') };
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TokenForger(key, tls, server);
  }

  /** `token` is a real one, bound to a pod. */
  async forge(name: ForgeryName, token: Secret<string>): Promise<Secret<string>> {
    const claims = decodeJwt<PodTokenClaims>(token.reveal()) as PodTokenClaims;
    const sign = async (change: Change): Promise<string> => (await this.resign(token, change)).reveal();
    const forgery: Forgery = forgeries[name];
    return new Secret(await forgery({ claims, forger: this, sign }));
  }

  /** The token signed anew; without a change the API server accepts it like the real one. */
  async resign(
    token: Secret<string>,
    { header, claims, key = this.#key }: Change = {},
  ): Promise<Secret<string>> {
    const real = token.reveal();
    // JSON leaves out what is undefined.
    const changed = JSON.stringify({ ...decodeJwt(real), ...claims });
    const { alg = 'RS256', ...rest } = { ...decodeProtectedHeader(real), ...header };
    const present = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const signing = new CompactSign(Buffer.from(changed)).setProtectedHeader({ ...present, alg });
    // jose signs no header that it does not understand, unless it is told to.
    return new Secret(await signing.sign(key, { crit: { 'x-forged': true } }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

function inKubernetes(
  { claims, sign }: Materials,
  change: {
    readonly namespace?: string;
    readonly pod?: object | undefined;
    readonly node?: undefined;
    readonly serviceaccount?: object;
  },
): Promise<string> {
  const real = claims['kubernetes.io'];
  const changed = {
    ...real,
    ...change,
    ...(change.pod === undefined ? {} : { pod: { ...real.pod, ...change.pod } }),
    serviceaccount: { ...real.serviceaccount, ...change.serviceaccount },
  };
  return sign({ claims: { 'kubernetes.io': changed } });
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
