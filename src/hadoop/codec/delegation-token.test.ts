import { describe, expect, it } from '@jest/globals';
import { format, inspect } from 'node:util';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { fromHex, serviceVectors, webhdfsVectors } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { toDelegationToken, toToken } from './delegation-token.ts';
import { decodeTokenUrlString, encodeTokenUrlString, type Token } from './token.ts';

describe('delegation token', () => {
  it('has real tokens to try', () => {
    expect([webhdfsVectors.length, serviceVectors.length]).toEqual([2, 3]);
  });

  it.each([...webhdfsVectors, ...serviceVectors])(
    'is the same token in the end: $urlString',
    ({ urlString }) => {
      const token = decodeTokenUrlString(urlString);
      expect(encodeTokenUrlString(toToken(toDelegationToken(token), token.service))).toBe(urlString);
    },
  );

  it('has the fields of its identifier beside it', () => {
    const token = decodeTokenUrlString(webhdfsVectors[0]?.urlString ?? '');
    const { password, ...fields } = toDelegationToken(token);
    expect(fields).toEqual({
      kind: 'HDFS_DELEGATION_TOKEN',
      service: 'ha-hdfs:prod',
      identifier: token.identifier,
      owner: 'alice',
      renewer: 'kerbridge',
      realUser: '',
      issueDate: 1795372579947n,
      maxDate: 1795977379947n,
      sequenceNumber: 11774,
      masterKeyId: 2,
    });
    expect(password.reveal()).toEqual(fromHex(webhdfsVectors[0]?.passwordHex ?? ''));
  });

  it('takes the service it is given, and changes nothing else', () => {
    const token = decodeTokenUrlString(webhdfsVectors[1]?.urlString ?? '');
    expect(toToken(toDelegationToken(token), 'ha-webhdfs:ns1')).toEqual({
      ...token,
      service: 'ha-webhdfs:ns1',
    });
  });

  it('keeps the password out of what is printed', () => {
    const token = {
      ...decodeTokenUrlString(webhdfsVectors[0]?.urlString ?? ''),
      password: Buffer.from('hunter2'),
    };
    const delegationToken = toDelegationToken(token);
    const { issueDate: _issueDate, maxDate: _maxDate, ...printable } = delegationToken;
    for (const printed of [
      inspect(delegationToken, { depth: null }),
      format('%o', delegationToken),
      JSON.stringify(printable),
    ]) {
      expect(printed).toContain('[redacted]');
      expect(printed).not.toContain('hunter2');
      expect(printed).not.toContain('68 75 6e 74 65 72 32');
      expect(printed).not.toContain('104');
    }
  });

  it.each<[string, Partial<Token>, string]>([
    ['a kind whose layout is not known', { kind: 'OzoneToken' }, 'unknown-identifier-format'],
    ['an identifier that is cut', { identifier: fromHex('0005616c') }, 'truncated'],
    ['an identifier of another version', { identifier: fromHex('0105616c') }, 'unsupported-version'],
    ['an empty identifier', { identifier: new Uint8Array(0) }, 'truncated'],
  ])('refuses %s', (_name, wrong, code) => {
    const token = decodeTokenUrlString(webhdfsVectors[0]?.urlString ?? '');
    expect(codecErrorOf(() => toDelegationToken({ ...token, ...wrong })).code).toBe(code);
  });
});
