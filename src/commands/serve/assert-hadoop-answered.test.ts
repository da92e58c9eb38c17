import { describe, expect, it } from '@jest/globals';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { assertHadoopAnswered } from './assert-hadoop-answered.ts';

describe('assertHadoopAnswered', () => {
  it.each([
    [401, 'Negotiate'],
    [401, 'negotiate'],
    [401, 'Basic realm="x", Negotiate'],
    [200, ''],
  ])('takes %d with %j', (status, wwwAuthenticate) => {
    expect(() => assertHadoopAnswered({ status, wwwAuthenticate }, 'http://nn:9870')).not.toThrow();
  });

  it.each([
    [401, ''],
    [401, 'Basic realm="Negotiate"'],
    [403, 'Negotiate'],
    [302, ''],
    [404, ''],
    [500, ''],
    [503, 'Negotiate'],
  ])('does not take %d with %j', (status, wwwAuthenticate) => {
    expect(() => assertHadoopAnswered({ status, wwwAuthenticate }, 'http://nn:9870')).toThrow(
      TokenServiceError,
    );
  });
});
