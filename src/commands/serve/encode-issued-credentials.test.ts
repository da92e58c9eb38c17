import { describe, expect, it } from '@jest/globals';
import type { HeldToken } from '../../delegation-tokens/credentials.ts';
import { decodeCredentials } from '../../hadoop/codec/credentials.ts';
import { Secret } from '../../observability/secret.ts';
import { encodeIssuedCredentials } from './encode-issued-credentials.ts';

const unused = () => Promise.reject(new Error('unused'));

function held(name: string, services: readonly string[]): HeldToken {
  return {
    source: {
      cluster: 'default',
      name,
      kind: 'HDFS_DELEGATION_TOKEN',
      renewer: 'kerbridge',
      services,
      tokenService: { kind: 'HDFS_DELEGATION_TOKEN', issue: unused, renew: unused, cancel: unused },
    },
    token: {
      // What a server filled in: labels only, ours are those of the source.
      kind: 'WEBHDFS delegation',
      service: '127.0.0.1:8020',
      identifier: Buffer.from(`identifier of ${name}`),
      password: new Secret<Uint8Array>(Buffer.from(`password of ${name}`)),
      owner: 'alice',
      renewer: 'kerbridge',
      realUser: '',
      issueDate: 0n,
      maxDate: 1n,
      sequenceNumber: 1,
      masterKeyId: 1,
    },
    expiresAt: 1n,
  };
}

describe('encodeIssuedCredentials', () => {
  it.each(['writable', 'protobuf'] as const)('writes each token under each label, as %s', (format) => {
    const issued = { tokens: [held('a', ['ha-hdfs:a', '10.0.0.1:8020']), held('b', ['ha-hdfs:b'])] };
    const decoded = decodeCredentials(encodeIssuedCredentials(issued, format));
    expect(decoded.format).toBe(format);
    expect(decoded.credentials.secrets).toEqual([]);
    const entries = decoded.credentials.tokens.map(({ alias, token }) => [
      alias,
      token.service,
      token.kind,
      Buffer.from(token.identifier).toString(),
      Buffer.from(token.password).toString(),
    ]);
    expect(entries).toEqual([
      ['ha-hdfs:a', 'ha-hdfs:a', 'HDFS_DELEGATION_TOKEN', 'identifier of a', 'password of a'],
      ['10.0.0.1:8020', '10.0.0.1:8020', 'HDFS_DELEGATION_TOKEN', 'identifier of a', 'password of a'],
      ['ha-hdfs:b', 'ha-hdfs:b', 'HDFS_DELEGATION_TOKEN', 'identifier of b', 'password of b'],
    ]);
  });

  it('refuses two tokens under one label: a client would find either', () => {
    const issued = { tokens: [held('a', ['x']), held('b', ['x'])] };
    expect(() => encodeIssuedCredentials(issued, 'writable')).toThrow(/alias/);
  });
});
