import { inspect } from 'node:util';

import { describe, expect, it } from '@jest/globals';

import { Secret } from '../observability/secret.ts';
import { TokenServiceError } from './token-service.ts';
import type { DelegationToken } from './token-service.ts';
import { verifyIssuedToken } from './verify-issued-token.ts';

const expected = { owner: 'alice', renewer: 'svc', kind: 'HDFS_DELEGATION_TOKEN', proxyUser: 'svc' };

const token = (fields: Partial<DelegationToken> = {}): DelegationToken => ({
  kind: 'HDFS_DELEGATION_TOKEN',
  service: 'ha-hdfs:prod',
  identifier: Buffer.from('identifier-bytes'),
  password: new Secret(Buffer.from('password-bytes')),
  owner: 'alice',
  renewer: 'svc',
  realUser: '',
  issueDate: 1n,
  maxDate: 2n,
  sequenceNumber: 3,
  masterKeyId: 4,
  ...fields,
});

function refusal(fields: Partial<DelegationToken>): TokenServiceError {
  try {
    verifyIssuedToken(token(fields), expected);
  } catch (error) {
    if (error instanceof TokenServiceError) return error;
  }
  throw new Error('was not refused');
}

describe('verifyIssuedToken', () => {
  it.each([[{}], [{ realUser: 'svc' }], [{ service: 'anything' }]])('accepts %j', (fields) => {
    expect(() => {
      verifyIssuedToken(token(fields), expected);
    }).not.toThrow();
  });

  it.each([
    ['owner', { owner: 'svc' }, 'owner is "svc", not "alice"'],
    ['owner', { owner: 'Alice' }, 'owner is "Alice", not "alice"'],
    ['owner', { owner: 'alice@REALM' }, 'owner is "alice@REALM", not "alice"'],
    ['owner', { owner: 'alice ' }, 'owner is "alice ", not "alice"'],
    ['owner', { owner: '' }, 'owner is "", not "alice"'],
    ['owner', { owner: 'x", renewer is "y\n' }, String.raw`owner is "x\", renewer is \"y?", not "alice"`],
    ['owner', { owner: 'аlice' }, 'owner is "?lice", not "alice"'],
    ['renewer', { renewer: 'alice' }, 'renewer is "alice", not "svc"'],
    ['renewer', { renewer: '' }, 'renewer is "", not "svc"'],
    ['kind', { kind: 'WEBHDFS delegation' }, 'kind is "WEBHDFS delegation", not "HDFS_DELEGATION_TOKEN"'],
    ['realUser', { realUser: 'bob' }, 'realUser is "bob", not "svc"'],
    ['realUser', { realUser: 'alice' }, 'realUser is "alice", not "svc"'],
  ])('refuses another %s', (_, fields, difference) => {
    const error = refusal(fields);
    expect(error.failure).toBe('wrong-token');
    expect(error.message).toBe(`the server issued another token than was asked for: ${difference}`);
  });

  it('names every field that differs', () => {
    expect(refusal({ owner: 'svc', renewer: 'svc2' }).message).toContain(
      'owner is "svc", not "alice", renewer is "svc2", not "svc"',
    );
  });

  it('leaves realUser alone when nobody can say who we are', () => {
    expect(() => {
      verifyIssuedToken(token({ realUser: 'whoever' }), { ...expected, proxyUser: undefined });
    }).not.toThrow();
  });

  it('tells no bytes of the token', () => {
    const text = inspect(refusal({ owner: 'svc' }), { depth: null, showHidden: true });
    expect(text).not.toContain('identifier-bytes');
    expect(text).not.toContain('password-bytes');
    expect(text).not.toContain(Buffer.from('password-bytes').toString('hex').slice(0, 8));
  });
});
