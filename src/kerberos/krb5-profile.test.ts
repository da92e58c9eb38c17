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
    [
      'leaves a brace open before a section',
      () => '[realms]\nA = {\nkdc = a\n[libdefaults]\n',
      /bad:4 begins a section, and realms A has a \{ without \}/,
    ],
    ['assigns nothing', () => '[realms]\nA =\nkdc = a\n', /bad:3 is to be the \{ of realms A/],
    ['has a blank line before a brace', () => '[realms]\nA =\n\n{\n}\n', /bad:3 is to be the \{/],
    ['closes what is not open', () => '[realms]\n}\n', /bad:2 has a \} without \{/],
    ['has a name of two words', () => '[realms]\na b = c\n', /bad:2 is no section/],
    ['has a value without a name', () => '[realms]\n = c\n', /bad:2 is no section/],
    ['has something after a section', () => '[realms] x\n', /bad:1 is no section/],
    ['has an indented include', (dir: string) => `[realms]\n include ${dir}/one\n`, /bad:2 is no section/],
    ['names a module late', () => '[realms]\nmodule a:b\n', /bad:2 is no section/],
  ])('says what is wrong with a file that %s', async (_, text, problem) => {
    const { problems } = await readKrb5Profile(await write('bad', text(folder)));
    expect(problems[0]).toMatch(problem);
  });

  it('does not wait for what a FIFO may say', async () => {
    execFileSync('mkfifo', [`${folder}/fifo`]);
    const { problems } = await readKrb5Profile(`${folder}/fifo`);
    expect(problems).toEqual([`cannot read ${folder}/fifo (not a regular file)`]);
  });

  // Each tried with kinit of MIT 1.20.
  it.each([
    ['a brace on the next line', '[realms]\nA =\n{\nkdc = a\n}\n'],
    ['something after that brace', '[realms]\nA =\n { x\nkdc = a\n}\n'],
    ['anything before the first section', 'what is this\na = b\n}\n[realms]\nA = {\nkdc = a\n}\n'],
    ['a module before the first section', 'module a:b\n[realms]\nA = {\nkdc = a\n}\n'],
    ['a brace that is open at the end', '[realms]\nA = {\nkdc = a\n'],
    ['something after a closing brace', '[realms]\nA = {\nkdc = a\n} x\n'],
    ['nothing at the end', '[realms]\nA = {\nkdc = a\n}\n[appdefaults]\nb =\n'],
    ['the ends of lines of Windows', '[realms]\r\nA = {\r\nkdc = a\r\n}\r\n'],
    ['a section without a name', '[]\na = b\n[realms]\nA = {\nkdc = a\n}\n'],
  ])('takes %s', async (_, text) => {
    const profile = await readKrb5Profile(await write('odd', text));
    expect(profile).toMatchObject({ problems: [], isReadable: true });
    expect(profile.kdcsOf('A')).toMatchObject([{ host: 'a' }]);
  });

  it('takes an include within braces, as a file of its own', async () => {
    const inner = await write('inner', '[realms]\nB = {\nkdc = b\n}\n');
    const profile = await readKrb5Profile(
      await write('outer', `[realms]\nA = {\ninclude ${inner}\nkdc = a\n}\n`),
    );
    expect(profile.problems).toEqual([]);
    expect(profile.realms).toEqual(['A', 'B']);
  });

  it('sees no section in a line that is indented while there is none', async () => {
    const path = await write('indented', ' [libdefaults]\ndefault_realm = A\n');
    expect(await readKrb5Profile(path)).toMatchObject({ problems: [], defaultRealm: undefined });
  });

  it('tells what could not be read from what could not be understood', async () => {
    const isReadable = async (text: string) => (await readKrb5Profile(await write('which', text))).isReadable;
    expect(await isReadable('[realms]\nwhat is this\n')).toBe(true);
    expect(await isReadable('include /nonexistent/x\n')).toBe(false);
    expect(await isReadable('includedir /nonexistent/x\n')).toBe(false);
    expect((await readKrb5Profile('/nonexistent/krb5.conf')).isReadable).toBe(false);
  });

  it('goes on with the other one of two files', async () => {
    const path = await write('second', '[libdefaults]\ndefault_realm = TWO\n');
    const profile = await readKrb5Profile(`${folder}/missing:${path}`);
    expect(profile).toMatchObject({ problems: [], defaultRealm: 'TWO', files: [path] });
    expect((await readKrb5Profile(`${folder}/missing:${folder}/too`)).problems).toHaveLength(2);
  });
});
