import { describe, expect, it } from '@jest/globals';
import { FakeSpnegoInitiator } from '../../../test/fakes/fake-spnego-initiator.ts';
import { SpnegoError, type SpnegoFailure } from '../../hadoop/spnego.ts';
import { checkLogin, checkSpn } from './check-login.ts';

const signal = new AbortController().signal;
const failing = (failure: SpnegoFailure, message: string, fix?: string): FakeSpnegoInitiator => {
  const spnego = new FakeSpnegoInitiator();
  spnego.failure = new SpnegoError(failure, message, fix === undefined ? {} : { fix });
  return spnego;
};
const login = (spnego: FakeSpnegoInitiator) => checkLogin({ cluster: 'main', spnego, host: 'nn1' }, signal);
const spn = (spnego: FakeSpnegoInitiator) =>
  checkSpn(
    { subject: 'main/ns/nn1', spnego, spnHost: 'nn1', addressProperty: 'dfs.namenode.https-address' },
    signal,
  );

describe('checkLogin', () => {
  it('is well with a ticket', async () => {
    const spnego = new FakeSpnegoInitiator();
    expect(await login(spnego)).toMatchObject([{ id: 'login:main', outcome: 'ok' }]);
    expect(spnego.hosts).toEqual(['nn1']);
  });

  it('is well where the KDC does not know the service: it asked that after the login', async () => {
    expect(await login(failing('unknown-service', 'Server HTTP/nn1 not found'))).toMatchObject([
      { outcome: 'ok' },
    ]);
  });

  it.each<SpnegoFailure>(['credentials', 'kdc-unreachable', 'configuration', 'process', 'gss'])(
    'fails for %s, with the fix that is known or one for the unknown',
    async (failure) => {
      expect(await login(failing(failure, 'no ticket', 'mend it'))).toMatchObject([
        { outcome: 'failed', detail: 'no ticket', fix: 'mend it' },
      ]);
      expect((await login(failing(failure, 'no ticket')))[0]?.fix).toContain('kinit -kt');
    },
  );

  it('leaves a bug of ours to whoever runs it', async () => {
    const spnego = new FakeSpnegoInitiator();
    spnego.failure = new TypeError('x');
    await expect(login(spnego)).rejects.toThrow(TypeError);
  });
});

describe('checkSpn', () => {
  it('is well with a ticket', async () => {
    expect(await spn(new FakeSpnegoInitiator())).toMatchObject([{ id: 'spn:main/ns/nn1', outcome: 'ok' }]);
  });

  it('says where the name comes from', async () => {
    const [finding] = await spn(
      failing('unknown-service', 'Server HTTP/nn1@R not found in Kerberos database'),
    );
    expect(finding).toMatchObject({ outcome: 'failed', title: 'HTTP/nn1 at the KDC' });
    expect(finding?.fix).toMatch(
      /dfs\.web\.authentication\.kerberos\.principal.*_HOST.*dfs\.namenode\.https-address/,
    );
    expect(finding?.fix).not.toMatch(/domain_realm|rdns/);
  });

  it('adds the switches of krb5.conf where libkrb5 made another name of the host', async () => {
    const [finding] = await spn(
      failing('unknown-service', 'Server HTTP/vip.example.com@R not found in Kerberos database'),
    );
    expect(finding?.fix).toMatch(/dns_canonicalize_hostname = false and rdns = false/);
  });

  it('adds [domain_realm] where the KDC was asked for another realm', async () => {
    const [finding] = await spn(
      failing('unknown-service', 'Server krbtgt/X@R not found in Kerberos database'),
    );
    expect(finding?.fix).toMatch(/map nn1 to its realm under \[domain_realm\]/);
  });

  it('has the usual fix for anything else', async () => {
    expect(await spn(failing('kdc-unreachable', 'no KDC', 'start it'))).toMatchObject([{ fix: 'start it' }]);
  });
});
