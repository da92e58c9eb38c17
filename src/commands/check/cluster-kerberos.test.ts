import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import type { Krb5Profile } from '../../kerberos/krb5-profile.ts';
import { CheckRun } from '../../preflight/check.ts';
import { failed } from '../../preflight/say.ts';
import { checkKdcsOf, type KdcsOptions } from './cluster-kerberos.ts';

/** What a login needs when krb5.conf has these faults. */
const needs = async (change: Pick<Krb5Profile, 'isReadable' | 'problems'>): Promise<readonly string[]> => {
  const clock = new FakeClock();
  const run = new CheckRun({ clock, timeoutMs: 1_000 });
  const profile: Krb5Profile = {
    files: ['/etc/krb5.conf'],
    defaultRealm: 'R',
    realms: [],
    kdcsOf: () => [],
    dnsLookupKdc: false,
    ...change,
  };
  const subject = { id: 'krb5-conf:main', title: 'krb5.conf' };
  const fault = { ...subject, run: () => Promise.resolve([failed(subject, 'odd', 'Correct the file')]) };
  for await (const _ of run.run([fault]));
  const options: KdcsOptions = {
    files: {
      config: { name: 'main' },
      profile: () => profile,
      principal: () => ({ components: ['kerbridge'], realm: 'R' }),
    },
    run,
    clock,
    random: () => 0.5,
    resolveSrv: () => Promise.reject(new Error('not to be asked')),
    askKdc: () => Promise.reject(new Error('not to be asked')),
  };
  const findings = checkKdcsOf(options);
  for (;;) {
    const { done, value } = await findings.next();
    if (done === true) return value;
    expect(value).toMatchObject({ outcome: 'skipped', detail: 'krb5-conf:main failed' });
  }
};

describe('checkKdcsOf', () => {
  it('lets the login have the last word on a krb5.conf that we do not understand', async () => {
    expect(await needs({ isReadable: true, problems: ['odd'] })).toEqual([]);
  });

  it('spares the login when krb5.conf can not be read, or names no KDC', async () => {
    expect(await needs({ isReadable: false, problems: ['cannot read it'] })).toEqual(['kdc:main']);
    expect(await needs({ isReadable: true, problems: [] })).toEqual(['kdc:main']);
  });
});
