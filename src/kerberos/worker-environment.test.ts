import { describe, expect, it } from '@jest/globals';
import { workerEnvironment } from './worker-environment.ts';

describe('workerEnvironment', () => {
  const fixed = {
    LC_ALL: 'C',
    KRB5_CLIENT_KTNAME: 'FILE:/k',
    KRB5CCNAME: 'FILE:/t/ccache',
    UV_THREADPOOL_SIZE: '1',
  };
  const options = { inherited: {}, keytab: '/k', cacheName: 'FILE:/t/ccache', krb5Conf: undefined };

  it('leaves krb5.conf to MIT when none is configured', () => {
    expect(workerEnvironment(options)).toEqual(fixed);
  });

  it('makes paths absolute, since the worker runs elsewhere', () => {
    const environment = workerEnvironment({ ...options, keytab: 'my.keytab', krb5Conf: 'a.conf:/b.conf' });
    expect(environment['KRB5_CLIENT_KTNAME']).toBe(`FILE:${process.cwd()}/my.keytab`);
    expect(environment['KRB5_CONFIG']).toBe(`${process.cwd()}/a.conf:/b.conf`);
  });

  it('passes what a library may need to be found', () => {
    const inherited = { PATH: '/bin', LD_LIBRARY_PATH: '/lib', TZ: 'UTC', KRB5_TRACE: '/dev/null' };
    expect(workerEnvironment({ ...options, inherited })).toEqual({ ...inherited, ...fixed });
  });

  it.each([
    'NODE_OPTIONS',
    'NODE_EXTRA_CA_CERTS',
    'LD_PRELOAD',
    'KRB5_KTNAME',
    'KRB5CCNAME',
    'KRB5_CONFIG',
    'KRB5_CLIENT_KTNAME',
    'LC_ALL',
    'LANGUAGE',
    'UV_THREADPOOL_SIZE',
    'HOME',
    'AWS_SECRET_ACCESS_KEY',
  ])('does not pass %s', (name) => {
    expect(workerEnvironment({ ...options, inherited: { [name]: 'surroundings' } })).toEqual(fixed);
  });
});
