import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { LeakHunter } from './leak-hunter.ts';

/** Bytes that look random and are the same in every run. */
function noise(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

const LOG = [
  '{"level":"warn","msg":"refused","reason":"pod-finished","namespace":"team-a","pod":"train-1"}',
  'GET /v1/credentials?cluster=prod 401 1.2 ms 00000000000000000000000000000000',
  `${'=-'.repeat(40)} ${'A'.repeat(80)} [ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 ]`,
  noise('something else', 300).toString('base64'),
].join('\n');

function inLog(leak: string): string {
  return `${LOG}\n{"msg":"it was ${leak} here"}\n${LOG}`;
}

const percent = (bytes: Buffer): string => bytes.toString('hex').replaceAll(/../g, '%$&');

/** How somebody might write it down. */
const WRITTEN: readonly (readonly [string, (bytes: Buffer) => string])[] = [
  ['base64', (bytes) => bytes.toString('base64')],
  ['base64 one byte later', (bytes) => Buffer.concat([Buffer.from('x'), bytes]).toString('base64')],
  ['base64 two bytes later', (bytes) => Buffer.concat([Buffer.from('xy'), bytes]).toString('base64')],
  ['base64 in lines', (bytes) => bytes.toString('base64').replaceAll(/.{10}/g, '$&\r\n')],
  [
    'base64 in lines in JSON',
    (bytes) => JSON.stringify(bytes.toString('base64').replaceAll(/.{10}/g, '$&\n')),
  ],
  ['base64url', (bytes) => bytes.toString('base64url')],
  ['base64url one byte later', (bytes) => Buffer.concat([Buffer.from('x'), bytes]).toString('base64url')],
  ['base64url two bytes later', (bytes) => Buffer.concat([Buffer.from('xy'), bytes]).toString('base64url')],
  ['hex', (bytes) => bytes.toString('hex')],
  ['HEX', (bytes) => bytes.toString('hex').toUpperCase()],
  ['hex with colons', (bytes) => bytes.toString('hex').replaceAll(/..\B/g, '$&:')],
  ['an inspected Buffer', (bytes) => inspect(bytes)],
  ['an inspected Uint8Array', (bytes) => inspect(new Uint8Array(bytes))],
  ['a Buffer in JSON', (bytes) => JSON.stringify(bytes)],
  ['percent-encoded', percent],
  ['PERCENT-ENCODED', (bytes) => percent(bytes).toUpperCase()],
  ['percent-encoded twice', (bytes) => encodeURIComponent(percent(bytes).toUpperCase())],
];

const WRITTEN_TEXT: readonly (readonly [string, (text: string) => string])[] = [
  ['plain', (text) => text],
  ['in JSON', (text) => JSON.stringify(text)],
  ['in JSON in JSON', (text) => JSON.stringify(JSON.stringify(text))],
  ['in ASCII JSON', (text) => JSON.stringify(text).replaceAll('ü', String.raw`\u00fc`)],
  ['in a URL', (text) => encodeURIComponent(text)],
  ['in a URL in a URL', (text) => encodeURIComponent(encodeURIComponent(text))],
  ['in a form', (text) => new URLSearchParams({ text }).toString()],
  ['UTF-16 in base64', (text) => Buffer.from(text, 'utf16le').toString('base64')],
  ['UTF-16 in JSON', (text) => JSON.stringify(Buffer.from(text, 'utf16le').toString('latin1'))],
  ...WRITTEN.map(([name, write]) => [name, (text: string) => write(Buffer.from(text))] as const),
];

const PARTS: readonly (readonly [string, number, number])[] = [
  ['all', 0, 64],
  ['the first half', 0, 32],
  ['the second half', 32, 64],
  ['the middle', 17, 47],
  ['20 bytes', 11, 31],
];

describe('finds', () => {
  const bytes = noise('session key', 64);
  it.each(
    PARTS.flatMap(([part, from, to]) =>
      WRITTEN.map(([name, write]) => [part, name, from, to, write] as const),
    ),
  )('%s of some bytes: %s', (_part, _name, from, to, write) => {
    const hunter = new LeakHunter();
    hunter.add('session key', bytes);
    const leaks = hunter.search(inLog(write(bytes.subarray(from, to))), 'log');
    expect(leaks).not.toEqual([]);
    expect(leaks.every(({ secret, where }) => secret === 'session key' && where === 'log')).toBe(true);
  });

  // Quotes, a backslash, blanks, a line break and what UTF-8 needs two bytes for.
  const text = `pw ${noise('password', 12).toString('base64url')}"+\\ü\n/${noise('more', 32).toString('base64')}&=`;
  it.each(
    PARTS.flatMap(([part, from, to]) =>
      WRITTEN_TEXT.map(([name, write]) => [part, name, from, to, write] as const),
    ),
  )('%s of a text: %s', (_part, _name, from, to, write) => {
    const hunter = new LeakHunter();
    hunter.add('password', text);
    expect(hunter.search(inLog(write(text.slice(from, to))), 'log')).not.toEqual([]);
  });

  it.each(WRITTEN_TEXT)('a secret of eight characters: %s', (_, write) => {
    const hunter = new LeakHunter();
    hunter.add('pin', 'q7!Zp-0e');
    expect(hunter.search(inLog(write('q7!Zp-0e')), 'log')).not.toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 48])(
    '16 characters of a text from place %i',
    (from) => {
      const hunter = new LeakHunter();
      const secret = noise('cookie', 48).toString('base64');
      hunter.add('cookie', secret);
      expect(hunter.search(secret.slice(from, from + 16), 'log')).not.toEqual([]);
      expect(hunter.search(secret.slice(from, from + 15), 'log')).toEqual([]);
    },
  );

  it.each([
    ['as they are', (file: Buffer) => file],
    ['in UTF-16', (file: Buffer) => Buffer.from(file.toString('base64'), 'utf16le')],
  ])('in the bytes of a file: %s', (_, write) => {
    const hunter = new LeakHunter();
    hunter.add('key', bytes);
    hunter.add('key in base64', bytes.toString('base64'));
    expect(
      hunter.search(Buffer.concat([noise('file', 500), write(bytes), noise('end', 99)]), 'file'),
    ).not.toEqual([]);
  });

  it('each of several secrets, at both ends of a text too', () => {
    const hunter = new LeakHunter();
    const names = Array.from({ length: 50 }, (_, index) => `secret ${index}`);
    for (const name of names) hunter.add(name, noise(name, 32));
    const all = names.map((name) => noise(name, 32).toString('hex')).join('');
    expect(hunter.search(all, 'log').map(({ secret }) => secret)).toEqual(names);
  });

  it('says what it found, and does not repeat it', () => {
    const hunter = new LeakHunter();
    hunter.add('key', 'correct horse battery staple');
    expect(hunter.search('it is: correct horse battery, I think', 'log')).toEqual([
      {
        secret: 'key',
        encoding: 'plain',
        where: 'log',
        context: 'it is: <21 of 28 characters of key, plain>, I think',
      },
    ]);
  });
});

describe('a JWT', () => {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = encode({ alg: 'RS256', kid: noise('kid', 32).toString('base64url') });
  const claims = {
    aud: ['kerbridge'],
    exp: 1_795_455_124,
    'kubernetes.io': { namespace: 'team-a', pod: { name: 'train-1' } },
  };
  const payload = encode(claims);
  const signature = noise('signature', 256);
  const jwt = `${header}.${payload}.${signature.toString('base64url')}`;
  const hunter = new LeakHunter();
  hunter.addJwt('pod token', jwt);

  it.each([
    ['all of it', jwt],
    ['all of it in base64', Buffer.from(jwt).toString('base64')],
    ['without its signature', jwt.slice(0, jwt.lastIndexOf('.'))],
    ['cut off in the payload', jwt.slice(0, header.length + 30)],
    ['its payload', payload],
    ['the end of its signature', jwt.slice(-40)],
    ['the bytes of its signature in hex', signature.toString('hex')],
    ['the bytes of its signature in base64', signature.toString('base64')],
  ])('is found: %s', (_, leak) => {
    expect(hunter.search(inLog(leak), 'log')).not.toEqual([]);
  });

  it.each([
    ['its header', `${header}.`],
    ['what it says', JSON.stringify(claims)],
  ])('is not leaked by %s', (_, text) => {
    expect(hunter.search(inLog(text), 'log')).toEqual([]);
  });

  it('has to be one', () => {
    expect(() => hunter.addJwt('token', 'no-jwt')).toThrow('token is no JWT');
  });

  it('may have no signature', () => {
    const unsigned = new LeakHunter();
    unsigned.addJwt('forged token', `${header}.${payload}.`);
    expect(unsigned.search(payload, 'log')).toHaveLength(1);
  });
});

describe('finds nothing', () => {
  const hunter = new LeakHunter();
  for (let index = 0; index < 20; index += 1) {
    hunter.add(`bytes ${index}`, noise(`bytes ${index}`, 64));
    hunter.add(`text ${index}`, noise(`text ${index}`, 48).toString('base64url'));
  }

  it.each([
    ['a log', LOG],
    ['nothing', ''],
    ['less than a window', 'abc'],
    ['other bytes', noise('other', 20_000)],
    ['other bytes in hex', noise('other', 20_000).toString('hex')],
    ['other bytes in base64', noise('other', 20_000).toString('base64')],
    ['other bytes in a list', JSON.stringify(noise('other', 20_000))],
    ['other bytes, percent-encoded', percent(noise('other', 20_000))],
  ])('in %s', (_, content) => {
    expect(hunter.search(content, 'log')).toEqual([]);
  });

  it.each([
    ['as it is', (text: string) => text],
    ['in base64', (text: string) => Buffer.from(text).toString('base64')],
  ])('in what may be seen, %s', (_, write) => {
    const open = 'https://kubernetes.default.svc.cluster.local';
    const careful = new LeakHunter();
    careful.add('file', `${noise('file', 30).toString('hex')} ${open} end of it`);
    expect(careful.search(inLog(write(open)), 'log')).not.toEqual([]);
    careful.allow(open);
    expect(careful.search(inLog(write(open)), 'log')).toEqual([]);
    expect(careful.search(inLog(write(noise('file', 30).toString('hex'))), 'log')).not.toEqual([]);
  });
});

describe('refuses', () => {
  it.each(['', 'short', Buffer.alloc(7)])('%j: it would be found by chance', (value) => {
    expect(() => new LeakHunter().add('secret', value)).toThrow('secret is too short to hunt for');
  });
});
