import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyToken } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import {
  credentialsVector,
  fromHex,
  serviceVectors,
  toHex,
  tokenVectors,
  webhdfsVectors,
} from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { decodeToken, decodeTokenUrlString, encodeToken, encodeTokenUrlString } from './token.ts';

const vectors = [...tokenVectors, ...webhdfsVectors, ...credentialsVector.tokens.map(({ token }) => token)];

describe('Token', () => {
  it('has the vectors of Hadoop to compare with', () => {
    expect([tokenVectors.length, webhdfsVectors.length, vectors.length, serviceVectors.length]).toEqual([
      4, 2, 8, 3,
    ]);
  });

  it.each(vectors)('$kind for "$service": $urlString', (vector) => {
    const token = {
      identifier: fromHex(vector.identifierHex),
      password: fromHex(vector.passwordHex),
      kind: vector.kind,
      service: vector.service,
    };
    expect(decodeToken(fromHex(vector.writableHex))).toEqual(token);
    expect(decodeTokenUrlString(vector.urlString)).toEqual(token);
    expect(toHex(encodeToken(token))).toBe(vector.writableHex);
    expect(encodeTokenUrlString(token)).toBe(vector.urlString);
  });

  it.each(serviceVectors)('$kind from a live service: $urlString', ({ urlString, kind, service }) => {
    const token = decodeTokenUrlString(urlString);
    expect(token).toMatchObject({ kind, service });
    expect(token.password).toHaveLength(20);
    expect(encodeTokenUrlString(token)).toBe(urlString);
  });

  it.each(vectors)('refuses every shorter piece of $writableHex, and one byte more', ({ writableHex }) => {
    const bytes = fromHex(writableHex);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codecErrorOf(() => decodeToken(bytes.subarray(0, length))).code).toBe('truncated');
    }
    expect(codecErrorOf(() => decodeToken(Uint8Array.of(...bytes, 0)))).toMatchObject({
      code: 'trailing-bytes',
      offset: bytes.length,
    });
  });

  it.each([
    ['a negative identifier length', 'ff 00 00 00', 'length-out-of-range'],
    ['an identifier of 2 GiB - 1', '8c7fffffff 00 00 00', 'truncated'],
    ['an identifier length that is no int', '8c80000000 00 00 00', 'int-out-of-range'],
    ['a negative password length', '00 ff 00 00', 'length-out-of-range'],
    ['a password longer than what is left', '00 03 00 00', 'truncated'],
    ['a kind that is not UTF-8', '00 00 01ff 00', 'invalid-utf8'],
    ['a service that is not UTF-8', '00 00 00 01ff', 'invalid-utf8'],
  ])('refuses %s', (_name, hex, code) => {
    expect(codecErrorOf(() => decodeToken(fromHex(hex))).code).toBe(code);
  });

  it.each([
    ['an empty string', '', 'truncated'],
    ['white space only', '\n', 'truncated'],
    ['what is no base64', '{"Token":{}}', 'invalid-base64url'],
    ['bytes after the token, which Java ignores', 'AAAAAAA', 'trailing-bytes'],
    ['a string that was cut', 'JAAFYWxpY2U', 'truncated'],
    ['two strings in one', 'AAAAAA AAAAAA', 'invalid-base64url'],
  ])('refuses as a URL string %s', (_name, urlString, code) => {
    expect(codecErrorOf(() => decodeTokenUrlString(urlString)).code).toBe(code);
  });

  it.each([
    ['kind', { kind: '\ud800' }],
    ['service', { service: 'host\udfff' }],
  ])('does not write a %s with half a surrogate pair', (_name, wrong) => {
    const token = {
      identifier: new Uint8Array(0),
      password: new Uint8Array(0),
      kind: 'K',
      service: 'S',
      ...wrong,
    };
    expect(codecErrorOf(() => encodeToken(token)).code).toBe('lone-surrogate');
    expect(codecErrorOf(() => encodeTokenUrlString(token)).code).toBe('lone-surrogate');
  });

  it.each<[string, (urlString: string) => string]>([
    ['padding', (urlString) => urlString.padEnd(Math.ceil(urlString.length / 4) * 4, '=')],
    ['the standard alphabet', (urlString) => urlString.replaceAll('-', '+').replaceAll('_', '/')],
    ['line breaks around it', (urlString) => `\r\n${urlString}\r\n`],
  ])('takes a URL string with %s', (_name, change) => {
    for (const { urlString, writableHex } of vectors) {
      expect(toHex(encodeToken(decodeTokenUrlString(change(urlString))))).toBe(writableHex);
    }
  });

  it('reads back every token it writes', () => {
    fc.assert(
      fc.property(anyToken, (token) => {
        expect(decodeToken(encodeToken(token))).toEqual(token);
        expect(decodeTokenUrlString(encodeTokenUrlString(token))).toEqual(token);
      }),
    );
  });
});
