import { describe, expect, it } from '@jest/globals';
import type { KdcEntry, Krb5Profile } from '../../kerberos/krb5-profile.ts';
import { checkKrb5Conf } from './check-krb5-conf.ts';
import { findKdcs } from './find-kdcs.ts';

const entry = (host: string): KdcEntry => ({ type: 'address', host, port: 88, text: host });

const profile = (change: Partial<Krb5Profile> = {}): Krb5Profile => ({
  files: ['/etc/krb5.conf'],
  problems: [],
  isReadable: true,
  defaultRealm: 'EXAMPLE.COM',
  realms: ['EXAMPLE.COM'],
  kdcsOf: (realm) => (realm === 'EXAMPLE.COM' ? [entry('kdc1'), entry('kdc2')] : []),
  dnsLookupKdc: false,
  ...change,
});

const check = (change: Partial<Krb5Profile>, realm: string | undefined = 'EXAMPLE.COM', krb5Conf?: string) =>
  checkKrb5Conf({ cluster: 'main', krb5Conf, profile: profile(change), realm });

describe('checkKrb5Conf', () => {
  it.each([
    ['counts the KDCs', {}, 'EXAMPLE.COM', 'ok', /^2 KDC\(s\) of the realm EXAMPLE\.COM$/],
    ['takes the default realm while ours is not known', {}, undefined, 'ok', /EXAMPLE\.COM/],
    ['leaves them to DNS', { dnsLookupKdc: true }, 'OTHER.COM', 'ok', /looked up in DNS/],
    [
      'misses the realm',
      {},
      'OTHER.COM',
      'failed',
      /no KDC of the realm OTHER\.COM .* it has the realms EXAMPLE\.COM/,
    ],
    ['misses any realm', { realms: [] }, 'OTHER.COM', 'failed', /it has no realm$/],
    ['knows no realm to ask for', { defaultRealm: undefined }, undefined, 'failed', /no default_realm/],
  ] as const)('%s', (_, change, realm, outcome, detail) => {
    const given =
      realm === undefined
        ? checkKrb5Conf({ cluster: 'main', krb5Conf: undefined, profile: profile(change), realm })
        : check(change, realm);
    expect(given).toMatchObject([{ id: 'krb5-conf:main', outcome, detail: expect.stringMatching(detail) }]);
  });

  it('has a finding for each problem, with the path to put a file at', () => {
    const missing = check({ files: [], problems: ['cannot read /x (ENOENT)'] }, 'EXAMPLE.COM', '/x');
    expect(missing).toMatchObject([
      {
        outcome: 'failed',
        title: 'krb5.conf /x',
        fix: expect.stringContaining('Put the krb5.conf of the realm at /x'),
      },
    ]);
    expect(check({ files: [], problems: ['a'] })[0]?.fix).toContain(
      '/etc/krb5.conf, or name another with krb5Conf',
    );
    expect(check({ problems: ['a', 'b'] }).map(({ fix }) => fix)).toEqual([
      expect.stringContaining('Correct the file'),
      expect.stringContaining('Correct the file'),
    ]);
  });
});

describe('findKdcs', () => {
  const noDns = () => Promise.reject(new Error('not to be asked'));
  const code = (text: string) => Promise.reject(Object.assign(new Error(text), { code: text }));

  it('takes those of krb5.conf, each once, and asks DNS for none', async () => {
    const kdcsOf = () => [entry('a'), entry('b'), entry('a'), { type: 'other', text: 'https://p' } as const];
    expect(await findKdcs(profile({ kdcsOf, dnsLookupKdc: true }), 'R', noDns)).toEqual({
      source: 'krb5.conf',
      kdcs: [
        { host: 'a', port: 88 },
        { host: 'b', port: 88 },
      ],
      others: ['https://p'],
      problem: undefined,
    });
  });

  it('takes the SRV records of the realm, each host once', async () => {
    const asked: string[] = [];
    const found = await findKdcs(
      profile({ kdcsOf: () => [], dnsLookupKdc: true }),
      'EXAMPLE.COM',
      async (name) => {
        asked.push(name);
        return [{ name: 'kdc.example.com', port: 88 }];
      },
    );
    expect(asked).toEqual(['_kerberos._tcp.EXAMPLE.COM', '_kerberos._udp.EXAMPLE.COM']);
    expect(found).toMatchObject({
      source: 'DNS',
      kdcs: [{ host: 'kdc.example.com', port: 88 }],
      problem: undefined,
    });
  });

  it('says what DNS said where it has none', async () => {
    const found = await findKdcs(profile({ kdcsOf: () => [], dnsLookupKdc: true }), 'R', () =>
      code('ENOTFOUND'),
    );
    expect(found.problem).toBe(
      'DNS has no SRV record of a KDC (_kerberos._tcp.R: ENOTFOUND, _kerberos._udp.R: ENOTFOUND)',
    );
    const halfFound = await findKdcs(profile({ kdcsOf: () => [], dnsLookupKdc: true }), 'R', (name) =>
      name.includes('_tcp') ? Promise.resolve([{ name: 'k', port: 88 }]) : code('ENOTFOUND'),
    );
    expect(halfFound).toMatchObject({ kdcs: [{ host: 'k' }], problem: undefined });
  });
});
