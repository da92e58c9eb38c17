import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKrb5Profile } from './krb5-profile.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-profile-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

describe('readKrb5Profile', () => {
  it('reads realms, KDCs and defaults, with comments, quotes and the marks of final sections', async () => {
    const path = await write(
      'krb5.conf',
      `# a comment
; another
[logging]
  default = FILE:/var/log/krb5.log
[libdefaults]*
  default_realm = "EXAMPLE.COM"
  dns_lookup_kdc = no
  permitted_enctypes = aes256-cts aes128-cts
[realms]
  EXAMPLE.COM = {
    kdc = kdc1.example.com
    kdc* = kdc2.example.com:750
    kdc = [2001:db8::1]:88
    kdc = [2001:db8::2]
    kdc = https://proxy.example.com/KdcProxy
    admin_server = kdc1.example.com
    auth_to_local_names = {
      kdc = not.one
    }
  }
  OTHER.COM = {
    kdc = 192.0.2.1
  }
[domain_realm]
  .example.com = EXAMPLE.COM
`,
    );
    const profile = await readKrb5Profile(path);
    expect(profile).toMatchObject({
      problems: [],
      files: [path],
      defaultRealm: 'EXAMPLE.COM',
      realms: ['EXAMPLE.COM', 'OTHER.COM'],
      dnsLookupKdc: false,
    });
    const kdcs = profile.kdcsOf('EXAMPLE.COM');
    expect(kdcs.map((kdc) => (kdc.type === 'address' ? `${kdc.host} ${kdc.port}` : kdc))).toEqual([
      'kdc1.example.com 88',
      'kdc2.example.com 750',
      '2001:db8::1 88',
      '2001:db8::2 88',
      { type: 'other', text: 'https://proxy.example.com/KdcProxy' },
    ]);
    expect(profile.kdcsOf('OTHER.COM')).toHaveLength(1);
    expect(profile.kdcsOf('NOWHERE.COM')).toEqual([]);
  });

  it('looks KDCs up in DNS unless told not to', async () => {
    const asks = async (line: string) =>
      (await readKrb5Profile(await write('dns.conf', `[libdefaults]\n${line}\n`))).dnsLookupKdc;
    expect(await asks('')).toBe(true);
    expect(await asks('dns_lookup_kdc = true')).toBe(true);
    expect(await asks('dns_lookup_kdc = False')).toBe(false);
    expect(await asks('dns_lookup_kdc = 0')).toBe(false);
  });

  it('follows include and includedir as MIT does', async () => {
    await mkdir(join(folder, 'conf.d'));
    await write('conf.d/b.conf', '[realms]\nB = {\nkdc = b.example.com\n}\n');
    await write('conf.d/a-realm', '[realms]\nA = {\nkdc = a.example.com\n}\n');
    await write('conf.d/.hidden.conf', '[realms]\nHIDDEN = {\n}\n');
    await write('conf.d/old.rpmsave', '[realms]\nOLD = {\n}\n');
    await write('one', '[libdefaults]\ndefault_realm = A\n');
    const path = await write('including', `include ${folder}/one\nincludedir ${folder}/conf.d\n`);
    const profile = await readKrb5Profile(path);
    expect(profile.problems).toEqual([]);
    expect(profile.defaultRealm).toBe('A');
    expect(profile.realms).toEqual(['A', 'B']);
  });

  it.each([
    ['is missing', (dir: string) => `include ${dir}/nothing\n`, /cannot read .*nothing \(ENOENT\)/],
    [
      'is a missing directory',
      (dir: string) => `includedir ${dir}/nothing\n`,
      /cannot read the directory .*nothing \(ENOENT\)/,
    ],
    ['includes itself', (dir: string) => `include ${dir}/bad\n`, /included more than 10 files deep/],
    [
      'has a line without sense',
      () => '[realms]\nwhat is this\n',
      /bad:2 is no section, no assignment and no include/,
    ],
    ['has a value before any section', () => 'default_realm = A\n', /bad:1 is no section/],
    ['leaves a brace open', () => '[realms]\nA = {\nkdc = a\n', /\{ without \} in realms A/],
  ])('says what is wrong with a file that %s', async (_, text, problem) => {
    const { problems } = await readKrb5Profile(await write('bad', text(folder)));
    expect(problems[0]).toMatch(problem);
  });

  it('does not wait for what a FIFO may say', async () => {
    execFileSync('mkfifo', [`${folder}/fifo`]);
    const { problems } = await readKrb5Profile(`${folder}/fifo`);
    expect(problems).toEqual([`cannot read ${folder}/fifo (not a regular file)`]);
  });

  it('goes on with the other one of two files', async () => {
    const path = await write('second', '[libdefaults]\ndefault_realm = TWO\n');
    const profile = await readKrb5Profile(`${folder}/missing:${path}`);
    expect(profile).toMatchObject({ problems: [], defaultRealm: 'TWO', files: [path] });
    expect((await readKrb5Profile(`${folder}/missing:${folder}/too`)).problems).toHaveLength(2);
  });
});
