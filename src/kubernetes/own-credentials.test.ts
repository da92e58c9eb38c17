import type { RequestOptions } from 'node:https';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { CREDENTIALS_MS, OwnCredentialsReader } from './own-credentials.ts';

function setUp() {
  const clock = new FakeClock();
  const file = { token: 'first\n', isMissing: false, reads: 0 };
  const kubeConfig = {
    applyToHTTPSOptions: async (options: RequestOptions) => {
      file.reads += 1;
      if (file.isMissing) throw Object.assign(new Error('sekrit output'), { code: 'ENOENT' });
      Object.assign(options.headers ?? {}, { Authorization: `Bearer ${file.token}` });
      options.ca = 'the CA';
    },
    getCurrentCluster: () => null,
  };
  return { clock, file, reader: new OwnCredentialsReader(kubeConfig, clock) };
}

const authorizationOf = (credentials: OwnCredentialsReader['known']) => credentials?.headers['Authorization'];

describe('OwnCredentialsReader', () => {
  it('has nothing before it has read', () => {
    expect(setUp().reader.known).toBeUndefined();
  });

  it('has what it read, without the line break that ends a file, until it is a second old', async () => {
    const { clock, file, reader } = setUp();
    const read = await reader.read();
    expect(read.headers).toEqual({ Authorization: 'Bearer first', 'User-Agent': 'kerbridge' });
    expect(read.options).toEqual({ ca: 'the CA' });
    file.token = 'second';
    await clock.advance(CREDENTIALS_MS - 1);
    expect(reader.known).toBe(read);
    expect(file.reads).toBe(1);
    await clock.advance(1);
    expect(reader.known).toBeUndefined();
    expect(authorizationOf(await reader.read())).toBe('Bearer second');
    expect(authorizationOf(reader.known)).toBe('Bearer second');
  });

  it('keeps no failure, and says nothing of what an exec plugin printed', async () => {
    const { file, reader } = setUp();
    file.isMissing = true;
    const failure = await reader.read().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'credentials',
      message: 'cannot get our own Kubernetes credentials: ENOENT',
    });
    expect(String(failure)).not.toContain('sekrit');
    expect(reader.known).toBeUndefined();
    file.isMissing = false;
    expect(authorizationOf(await reader.read())).toBe('Bearer first');
  });
});
