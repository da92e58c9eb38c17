import { createHmac, generateKeyPairSync } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { LOG_LEVELS, type LogLevel } from './log-levels.ts';
import { createLogger, type LogFields } from './logger.ts';
import { CommonFields } from './plain-json.ts';
import { Secret } from './secret.ts';

function start(level: LogLevel = 'debug') {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    clock: new FakeClock(),
    destination: { write: (line) => lines.push(line) },
  });
  return { logger, lines };
}

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlLWh1bnRlcjI';
const URL_STRING = 'JAAFYWxpY2UJa2VyYnJpZGdlAIoBogSLfHuKAaIomAB7ji3_AhQKEeE8c0-L9jjWWMhDu7qk6mC-tRJXRUJI';
/** 120 characters with slashes, and the 44 of an HMAC-SHA256. */
const BASE64 = Buffer.from(Array.from({ length: 90 }, (_, at) => (at * 37) % 256)).toString('base64');
const SIGNATURE = createHmac('sha256', 'key').update('value').digest('base64');
const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Each with the piece that must not be seen. */
const SECRETS: readonly (readonly [string, LogFields, string])[] = [
  ['a Secret', { value: new Secret('hunter2') }, 'hunter2'],
  ['a Secret far down', { a: { b: [{ c: new Secret('hunter2') }] } }, 'hunter2'],
  ['bytes', { value: Buffer.from('hunter2') }, Buffer.from('hunter2').toString('base64')],
  ['bytes as numbers', { value: new Uint8Array([104, 117, 110, 116]) }, '104'],
  ['an array buffer', { value: new Uint8Array([104, 117]).buffer }, '104'],
  ['a header', { Authorization: 'hunter2' }, 'hunter2'],
  ['headers', { headers: { 'X-Anything': 'hunter2' } }, 'hunter2'],
  ['raw headers', { rawHeaders: ['x', 'hunter2'] }, 'hunter2'],
  ['a cookie', { 'set-cookie': ['hunter2'] }, 'hunter2'],
  ['a password', { nested: { Password: 'hunter2' } }, 'hunter2'],
  ['a token by its name', { service_account_token: 'hunter2' }, 'hunter2'],
  ['a body', { body: { any: 'hunter2' } }, 'hunter2'],
  ['a JWT in a text', { detail: `got ${JWT} from` }, JWT.slice(0, 30)],
  ['the end of a JWT', { detail: `got ${JWT} from` }, JWT.slice(-20)],
  ['a Bearer header in a text', { detail: 'Authorization: Bearer hunter2hunter2' }, 'hunter2'],
  ['a Negotiate header in a text', { detail: 'Negotiate YIIhunter2==' }, 'hunter2'],
  ['a hadoop.auth cookie', { detail: 'hadoop.auth="u=hunter2&p=x&s=y"; Path=/' }, 'hunter2'],
  ['a hadoop.auth cookie without quotes', { detail: 'Cookie: hadoop.auth=u=hunter2' }, 'hunter2'],
  ['a token in a URL', { url: 'http://nn/webhdfs/v1/?op=RENEW&token=hunter2' }, 'hunter2'],
  ['a delegation parameter', { url: 'http://nn/webhdfs/v1/?delegation=hunter2&op=x' }, 'hunter2'],
  ['an encoded Hadoop token', { detail: `cannot read ${URL_STRING}` }, URL_STRING.slice(10, 40)],
  ['an encoded Hadoop token behind a slash', { detail: `at /${URL_STRING}` }, URL_STRING.slice(10, 40)],
  ['an encoded Hadoop token behind an equals sign', { detail: `x=${URL_STRING}` }, URL_STRING.slice(10, 40)],
  ['a long run of base64 in a path', { detail: `/a/b/${BASE64}/c` }, BASE64.slice(40, 80)],
  ['a long run of base64 behind an equals sign', { detail: `ticket=${BASE64}` }, BASE64.slice(40, 80)],
  ['the signature of a cookie', { detail: `t=kerberos&e=1&s=${SIGNATURE}` }, SIGNATURE.slice(0, 20)],
  ['a bare signature of a cookie', { detail: `s=${SIGNATURE}` }, SIGNATURE.slice(0, 20)],
  ['a signature without digits', { detail: '"s=abcdefghijklmnopqrstuvwxyza="' }, 'abcdefgh'],
  ['a private key', { detail: PEM }, PEM.split('\n')[1] ?? ''],
  ['an object of a class', { value: new Map([['k', 'hunter2']]) }, 'hunter2'],
  [
    'an error with a request',
    { error: Object.assign(new Error('x'), { config: { auth: 'hunter2' } }) },
    'hunter2',
  ],
  ['an error with headers', { error: Object.assign(new Error('x'), { response: 'hunter2' }) }, 'hunter2'],
  [
    'a cause with a request',
    { error: new Error('x', { cause: Object.assign(new Error('y'), { request: 'hunter2' }) }) },
    'hunter2',
  ],
  ['a cause that is no error', { error: new Error('x', { cause: { password: 'hunter2' } }) }, 'hunter2'],
  ['a cause that is a text', { error: new Error('x', { cause: 'hunter2' }) }, 'hunter2'],
  [
    'an aggregate',
    { error: new AggregateError([Object.assign(new Error('y'), { auth: 'hunter2' })]) },
    'hunter2',
  ],
  ['a message with a JWT', { error: new Error(`refused ${JWT}`) }, JWT.slice(0, 30)],
  [
    'an error from another realm',
    { error: runInNewContext(`Object.assign(new Error('x'), { p: 'hunter2' })`) },
    'hunter2',
  ],
  ['an error with toJSON', { error: Object.assign(new Error('x'), { toJSON: () => 'hunter2' }) }, 'hunter2'],
  ['a function', { value: () => 'hunter2' }, 'hunter2'],
  ['a symbol', { value: Symbol('hunter2') }, 'hunter2'],
];

describe.each(LOG_LEVELS)('at level %s', (level) => {
  it.each(SECRETS)('%s is not logged', (_name, fields, secret) => {
    const { logger, lines } = start();
    logger[level]('Something happened', fields);
    logger.child(fields)[level]('Something happened');
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({ level, message: 'Something happened' });
      expect(line).not.toContain(secret);
    }
  });
});

describe('the logger', () => {
  it('writes level, time, message and fields, one line each', () => {
    const { logger, lines } = start();
    logger.child({ cluster: 'default' }).info('Token issued', {
      user: 'alice',
      pod: { namespace: 'team-a', name: 'p' },
      sequenceNumbers: [1, -2],
      maxDate: 9_223_372_036_854_775_807n,
      nothing: null,
      absent: undefined,
      text: 'two\nlines',
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('}\n')).toBe(true);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: '2026-01-01T00:00:00.000Z',
      message: 'Token issued',
      cluster: 'default',
      user: 'alice',
      pod: { namespace: 'team-a', name: 'p' },
      sequenceNumbers: [1, -2],
      maxDate: '9223372036854775807',
      nothing: null,
      text: 'two\nlines',
    });
  });

  it.each([
    'User: kerbridge is not allowed to impersonate alice',
    'org.apache.hadoop.security.authorize.AuthorizationException',
    'fa758c46-8327-4c05-aa40-27d3d4959873',
    '/etc/kerbridge/keytabs/production/kerbridge.service.keytab',
    'file:///app/src/http-api/credentials-route.ts:12:34',
    'spark-1234567890abcdef1234567890abcdef-exec-17-of-a-long-name-0001',
    'kerbridge/host1.example.com@EXAMPLE.COM',
    '/var/lib/kubelet/pods/fa758c46-8327-4c05-aa40-27d3d4959873/volumes/kubernetes.io~projected/kerbridge-token',
    'https://nn1.example.com:9871/webhdfs/v1/?op=GETDELEGATIONTOKEN&doas=alice&renewer=kerbridge',
    'columns=8 s=short',
  ])('leaves %j readable', (text) => {
    const { logger, lines } = start();
    logger.info('x', { text });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ text });
  });

  it.each([
    ['next line', '\u0085'],
    ['control sequence introducer', '\u009b'],
    ['line separator', '\u2028'],
    ['right-to-left override', '\u202e'],
    ['zero-width space', '\u200b'],
    ['byte order mark', '\ufeff'],
    ['DEL', '\u007f'],
    ['escape', '\u001b'],
    ['carriage return', '\r'],
    ['NUL', '\0'],
    ['letter of another script', '\u0430'],
    ['lone surrogate', '\ud800'],
  ])('shows a %s as its number, in every text', (_name, character) => {
    const { logger, lines } = start();
    const text = `a${character}b`;
    logger.warn(text, { text, list: [text], deep: { [text]: text }, error: new Error(text) });
    const line = lines[0] ?? '';
    expect(line).toMatch(/^[\x20-\x7E]+\n$/);
    const shown = `a\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}b`;
    expect(JSON.parse(line)).toMatchObject({
      message: shown,
      text: shown,
      list: [shown],
      deep: { [shown]: shown },
      error: { message: shown, stack: expect.stringContaining(shown) },
    });
  });

  it('writes of an error its name, message, code, stack and causes', () => {
    const { logger, lines } = start();
    const cause = Object.assign(new TypeError('inner'), { code: 'ECONNREFUSED' });
    logger.error('Failed', { error: new Error('outer', { cause }) });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      error: {
        name: 'Error',
        message: 'outer',
        stack: expect.stringContaining('logger.test.ts'),
        cause: { name: 'TypeError', message: 'inner', code: 'ECONNREFUSED' },
      },
    });
  });

  it.each<[LogLevel, LogLevel[]]>([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ])('at %s writes %j', (level, written) => {
    const { logger, lines } = start(level);
    for (const each of LOG_LEVELS) logger[each]('x');
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(written);
  });

  it('survives what is hard to write', () => {
    const { logger, lines } = start();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const endless = new Error('endless');
    endless.cause = endless;
    const hostile = new Error('hostile');
    Object.defineProperty(hostile, 'message', {
      get: () => {
        throw new Error('no');
      },
    });
    logger.info('x', {
      circle,
      endless,
      hostile,
      deep: JSON.parse('['.repeat(50) + ']'.repeat(50)) as unknown,
    });
    logger.info('x', { long: 'a '.repeat(100_000), many: Array.from({ length: 10_000 }, () => 'x') });
    expect(lines).toHaveLength(2);
    expect(lines[1]?.length).toBeLessThan(20_000);
  });
});

it.each(LOG_LEVELS)('lets a line of %s wait only if it is none of trouble', (level) => {
  const written: string[] = [];
  const logger = createLogger({
    level: 'debug',
    clock: new FakeClock(),
    destination: { write: () => written.push('at once'), writeSoon: () => written.push('soon') },
  });
  logger[level]('Something');
  logger[level]('Something', { error: new Error('x') });
  const isTrouble = level === 'warn' || level === 'error';
  expect(written).toEqual([isTrouble ? 'at once' : 'soon', 'at once']);
});

describe('fields that many lines have in common', () => {
  it.each([{}, { status: 200 }])('stand behind the others, %j', (fields) => {
    const { logger, lines } = start();
    logger.info('Done', { ...fields, user: 'alice', kinds: ['a'] });
    logger.info('Done', fields, new CommonFields({ user: 'alice', kinds: ['a'] }));
    expect(lines[1]).toBe(lines[0]);
  });

  it.each(SECRETS)('do not show %s', (_name, fields, secret) => {
    const { logger, lines } = start();
    logger.info('Done', { status: 200 }, new CommonFields(fields));
    expect(lines.join('')).toContain('"status":200');
    expect(lines.join('')).not.toContain(secret);
  });

  it('are there beside a secret in the others', () => {
    const { logger, lines } = start();
    logger.info('Done', { detail: `got ${JWT}` }, new CommonFields({ user: 'alice' }));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ user: 'alice', detail: 'got [redacted]' });
  });
});
