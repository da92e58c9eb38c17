import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { signPodStamp } from '../../../src/identity/stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION } from '../../../src/identity/stamps/stamp-annotations.ts';
import {
  createPublicKeys,
  signingKeyOf,
  type StampPublicKeys,
} from '../../../src/identity/stamps/stamp-keys.ts';

/** Pods of the measurements: 100 users, each in a namespace of their own, all at the address that requests come from. */
export const PODS = 10_000;
const USERS = 100;
export const AUDIENCE = 'kerbridge';
export const ISSUER = 'https://kubernetes.default.svc';
export const ANNOTATION = 'iddecorator.username';
const ADDRESS = '127.0.0.1';
const ACCOUNT = { name: 'trainer', uid: '9a2f4b58-3a63-4c0e-b7a5-6d1f0c2e4b99' };
export const KEY_ID = 'bench-key';

const two = (n: number): string => String(n % USERS).padStart(2, '0');
export const namespaceOf = (n: number): string => `team-${two(n)}`;
const nameOf = (n: number): string => `train-${String(n).padStart(5, '0')}-worker-0`;
const uidOf = (n: number): string => `0a9c3e62-94e6-4a36-a6e1-${n.toString(16).padStart(12, '0')}`;

const CREATED_AT = '2026-01-01T00:00:00Z';
/** Of no other use than to be known to all processes of a measurement. */
const STAMP_KEY = signingKeyOf(Buffer.alloc(32, 'bench').toString('base64url'));
export const STAMP_KEYS: StampPublicKeys = createPublicKeys([STAMP_KEY]);

function stampOf(n: number): string {
  return signPodStamp(
    {
      namespace: namespaceOf(n),
      podName: nameOf(n),
      user: `user-${two(n)}`,
      requester: 'system:serviceaccount:kube-system:job-controller',
      issuedAtSeconds: Date.parse(CREATED_AT) / 1000,
    },
    STAMP_KEY,
  );
}

/** As the API server lists it, with what Kerbridge reads. */
export function podOf(n: number): object {
  return {
    metadata: {
      name: nameOf(n),
      namespace: namespaceOf(n),
      uid: uidOf(n),
      resourceVersion: '1',
      creationTimestamp: CREATED_AT,
      annotations: { [ANNOTATION]: `user-${two(n)}`, [POD_STAMP_ANNOTATION]: stampOf(n) },
    },
    spec: { serviceAccountName: ACCOUNT.name },
    status: { phase: 'Running', podIP: ADDRESS, podIPs: [{ ip: ADDRESS }] },
  };
}

/** What the API server says of the token of that pod. */
export function reviewOf(n: number): object {
  return {
    authenticated: true,
    audiences: [AUDIENCE],
    user: {
      username: `system:serviceaccount:${namespaceOf(n)}:${ACCOUNT.name}`,
      uid: ACCOUNT.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespaceOf(n)}`, 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/pod-name': [nameOf(n)],
        'authentication.kubernetes.io/pod-uid': [uidOf(n)],
      },
    },
  };
}

export function newSigningKey(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** On the threads of the pool: many are signed, and each takes a millisecond. */
const signed256 = promisify(sign.bind(undefined, 'sha256') as SignSha256);
type SignSha256 = (
  data: Buffer,
  key: KeyObject,
  callback: (error: Error | null, signature: Buffer) => void,
) => void;

/** A projected token of that pod, as long as a real one. The pod's number is in `jti`. */
export async function serviceAccountTokenOf(
  n: number,
  nowMs: number,
  privateKey: KeyObject,
): Promise<string> {
  const issuedAt = Math.floor(nowMs / 1000);
  const claims = {
    aud: [AUDIENCE],
    exp: issuedAt + 3600,
    iat: issuedAt,
    iss: ISSUER,
    jti: `6f1c0f5e-6a9f-4c32-8f43-${String(n).padStart(12, '0')}`,
    'kubernetes.io': {
      namespace: namespaceOf(n),
      node: { name: 'node-1', uid: '5c0b4f0c-6b3e-4f3e-8a83-4b7cb3f7a0d2' },
      pod: { name: nameOf(n), uid: uidOf(n) },
      serviceaccount: ACCOUNT,
    },
    nbf: issuedAt,
    sub: `system:serviceaccount:${namespaceOf(n)}:${ACCOUNT.name}`,
  };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'RS256', kid: KEY_ID })}.${encode(claims)}`;
  return `${signed}.${(await signed256(Buffer.from(signed), privateKey)).toString('base64url')}`;
}

/** The number in `jti` of {@link serviceAccountTokenOf}, without looking at the signature. */
export function podNumberOf(serviceAccountToken: string): number {
  const payload = Buffer.from(serviceAccountToken.split('.')[1] ?? '', 'base64url').toString();
  return Number(/"jti":"[^"]*-(\d{12})"/.exec(payload)?.[1]);
}
