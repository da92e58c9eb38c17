import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { ConfigError, formatProblem } from '../../config/config-problem.ts';
import type { FileAccess } from '../../config/watched-file.ts';
import { parseTlsPair, TlsCertificate, type TlsCertificateEvent } from './tls-certificate.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');

const cert = fixture('renewed.crt');
const key = fixture('renewed.key');

/** In PKCS 8 (ENCRYPTED PRIVATE KEY) and in the older form with a Proc-Type line. */
const encrypted = (type: 'pkcs8' | 'sec1') =>
  createPrivateKey(key)
    .export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
    .toString();

function problemsOf(act: () => unknown): string[] {
  try {
    act();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(formatProblem);
  }
}

describe('parseTlsPair', () => {
  const damaged = cert.replace(/\n[\w+/]{10}/, '\nAAAAAAAAAA');
  const chain = fixture('chain.crt');
  const misordered = fixture('localhost.crt') + cert;

  it.each([
    ['an empty certificate', '', key, /^listen\.tls\.certFile: holds no certificate/],
    ['a key in place of the certificate', key, key, /^listen\.tls\.certFile: holds no certificate/],
    ['a damaged certificate', damaged, key, /^listen\.tls\.certFile: holds no certificate/],
    [
      'a damaged certificate behind a good one',
      cert + damaged,
      key,
      /^listen\.tls\.certFile: is refused by OpenSSL \(ERR_/,
    ],
    ['an empty key', cert, '', /^listen\.tls\.keyFile: holds no private key/],
    ['a certificate in place of the key', cert, cert, /^listen\.tls\.keyFile: holds no private key/],
    ['a damaged key', cert, key.replace('M', '?'), /^listen\.tls\.keyFile: holds no private key/],
    ['an encrypted key', cert, encrypted('pkcs8'), /^listen\.tls\.keyFile: is encrypted.*openssl pkey -in/],
    ['an encrypted key of the older form', cert, encrypted('sec1'), /^listen\.tls\.keyFile: is encrypted/],
    [
      "another certificate's key",
      cert,
      fixture('localhost.key'),
      /^listen\.tls\.keyFile: is not the key of the first/,
    ],
    [
      'a key of another kind',
      cert,
      fixture('rsa-2048.key'),
      /^listen\.tls\.keyFile: is not the key of the first/,
    ],
    ['a chain that begins with the authority', misordered, key, /certificate of this server first$/],
    [
      'a short RSA key',
      fixture('rsa-1024.crt'),
      fixture('rsa-1024.key'),
      /^listen\.tls\.keyFile: must be RSA of at least 2048/,
    ],
    [
      'a curve that TLS does not know',
      fixture('secp256k1.crt'),
      fixture('secp256k1.key'),
      /^listen\.tls\.keyFile: must be/,
    ],
  ])('refuses %s, and quotes nothing', (_name, certificates, privateKey, expected) => {
    const problems = problemsOf(() => parseTlsPair(certificates, privateKey));
    expect(problems).toEqual([expect.stringMatching(expected)]);
    for (const line of `${certificates}\n${privateKey}`.split('\n').filter(({ length }) => length > 8)) {
      expect(problems.join('\n')).not.toContain(line.slice(0, 12));
    }
  });

  it('names what is wrong with each of the two', () => {
    expect(problemsOf(() => parseTlsPair(key, cert))).toHaveLength(2);
  });

  it.each([
    ['EC', cert, key],
    ['RSA', fixture('rsa-2048.crt'), fixture('rsa-2048.key')],
    ['Ed25519', fixture('ed25519.crt'), fixture('ed25519.key')],
    ['a chain', chain, key],
    ['lines that end as on Windows', cert.replaceAll('\n', '\r\n'), key.replaceAll('\n', '\r\n')],
    ['a description before it', `Certificate:\n  Data: …\n${cert}`, key],
    ['an expired certificate: that depends on the time', fixture('expired.crt'), key],
  ])('takes %s', (_name, certificates, privateKey) => {
    expect(problemsOf(() => parseTlsPair(certificates, privateKey))).toEqual([]);
  });

  it('tells until when the first certificate is valid, and does not show the key', () => {
    const pair = parseTlsPair(fixture('chain.crt'), key);
    expect(new Date(pair.notBefore).toISOString()).toBe('2020-01-01T00:00:00.000Z');
    expect(new Date(pair.notAfter).toISOString()).toBe('2126-01-01T00:00:00.000Z');
    expect(inspect(pair) + JSON.stringify(pair)).not.toContain('PRIVATE');
  });
});

const CERT = '/tls/tls.crt';
const KEY = '/tls/tls.key';
/** A minute and a second before localhost.crt becomes valid. */
const NOW = Date.parse('2026-11-22T21:04:00Z');
/** WatchedFile's look at the files, and its wait for whoever writes them. */
const NOTICED_MS = 1_250;

class SleepLog extends FakeClock {
  longest = 0;

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.longest = Math.max(this.longest, ms);
    await super.sleep(ms, signal);
  }
}

const opened: TlsCertificate[] = [];
afterEach(() => {
  for (const certificate of opened.splice(0)) certificate.stop();
});

async function open(certificates = cert, privateKey = key) {
  const clock = new SleepLog(NOW);
  const texts = new Map([
    [CERT, certificates],
    [KEY, privateKey],
  ]);
  const textOf = (path: string): string => {
    const text = texts.get(path);
    if (text === undefined) throw Object.assign(new Error('secret'), { code: 'ENOENT' });
    return text;
  };
  const files: FileAccess = {
    fingerprint: async (path) => Promise.resolve(textOf(path)),
    read: async (path) => Promise.resolve(new TextEncoder().encode(textOf(path))),
  };
  const certificate = await TlsCertificate.open({ certFile: CERT, keyFile: KEY, clock, files });
  opened.push(certificate);
  const events: TlsCertificateEvent[] = [];
  certificate.follow((event) => events.push(event));
  return {
    clock,
    certificate,
    texts,
    shown: () => certificate.current.certificates,
    /** What was told since the last call, in short. */
    told: () =>
      events
        .splice(0)
        .map((event) => (event.event === 'used' ? 'used' : event.problems.map(formatProblem).join('; '))),
    change: async (change: { certificates?: string; privateKey?: string }) => {
      if (change.certificates !== undefined) texts.set(CERT, change.certificates);
      if (change.privateKey !== undefined) texts.set(KEY, change.privateKey);
      await clock.advance(NOTICED_MS);
    },
  };
}

describe('TlsCertificate', () => {
  it.each([
    ['a certificate that is none', 'nothing', key, ['listen.tls.certFile']],
    ['a key that is none', cert, 'nothing', ['listen.tls.keyFile']],
  ])('does not open with %s', async (_name, certificates, privateKey, paths) => {
    const error: unknown = await open(certificates, privateKey).catch((thrown: unknown) => thrown);
    expect(error instanceof ConfigError && error.problems.map(({ path }) => path)).toEqual(paths);
  });

  it('does not open without the files, and says which', async () => {
    const clock = new FakeClock();
    const missing = `${import.meta.dirname}/none`;
    const opening = TlsCertificate.open({ certFile: `${missing}.crt`, keyFile: `${missing}.key`, clock });
    await expect(opening).rejects.toMatchObject({
      problems: [
        { path: 'listen.tls', message: `cannot read ${missing}.crt: ENOENT` },
        { path: 'listen.tls', message: `cannot read ${missing}.key: ENOENT` },
      ],
    });
  });

  it.each([
    ['expired', fixture('expired.crt'), /^expired at 2021-01-01T00:00:00.000Z: renew it$/],
    ['not yet valid', fixture('future.crt'), /^is not valid before 2120-01-01/],
  ])('opens with a certificate that is %s, but warns', async (_name, certificates, warning) => {
    const { certificate, shown } = await open(certificates);
    expect(certificate.warning).toMatch(warning);
    expect(shown()).toBe(certificates);
  });

  it('takes a new pair when it comes', async () => {
    const { change, shown, told, certificate } = await open();
    const [certificates, privateKey] = [fixture('rsa-2048.crt'), fixture('rsa-2048.key')];
    await change({ certificates, privateKey });
    expect(shown()).toBe(certificates);
    expect(certificate.current.key.reveal()).toBe(privateKey);
    expect(certificate.warning).toBeUndefined();
    expect(told()).toEqual(['used']);
  });

  it('keeps the old pair while the new one is half there', async () => {
    const { change, shown, told } = await open();
    await change({ certificates: fixture('ed25519.crt') });
    expect(shown()).toBe(cert);
    expect(told()).toEqual([expect.stringMatching(/^listen\.tls\.keyFile: is not the key/)]);
    await change({ privateKey: fixture('ed25519.key') });
    expect(shown()).toBe(fixture('ed25519.crt'));
    expect(told()).toEqual(['used']);
  });

  it('says that the old pair is in use again when it was put back', async () => {
    const { certificate, change, told } = await open();
    expect(certificate.state()).toEqual({ ok: true });
    await change({ certificates: 'nothing' });
    expect(certificate.state()).toEqual({ ok: false });
    await change({ certificates: cert });
    expect(certificate.state()).toEqual({ ok: true });
    expect(told()).toEqual(['listen.tls.certFile: holds no certificate in PEM', 'used']);
  });

  it('takes a pair whose time has come once, though it was put there twice', async () => {
    const { change, told, clock } = await open();
    const change2 = { certificates: fixture('localhost.crt'), privateKey: fixture('localhost.key') };
    await change(change2);
    await change({ certificates: 'nothing' });
    await change(change2);
    told();
    await clock.advance(120_000);
    expect(told()).toEqual(['used']);
  });

  it.each([
    ['gone', undefined, 'listen.tls: cannot read /tls/tls.crt: ENOENT'],
    ['expired', fixture('expired.crt'), 'listen.tls.certFile: expired at 2021-01-01T00:00:00.000Z: renew it'],
    [
      'not yet valid',
      fixture('future.crt'),
      'listen.tls.certFile: is not valid before 2120-01-01T00:00:00.000Z',
    ],
  ])('keeps the old pair, and says so once, when the new one is %s', async (_name, certificates, problem) => {
    const { change, shown, told, texts, clock } = await open();
    if (certificates === undefined) texts.delete(CERT);
    await change(certificates === undefined ? {} : { certificates });
    await clock.advance(60_000);
    expect(shown()).toBe(cert);
    expect(told()).toEqual([problem]);
    await change({ certificates: fixture('chain.crt') });
    expect(shown()).toBe(fixture('chain.crt'));
    expect(told()).toEqual(['used']);
  });

  it('takes a pair that was not yet valid when its time comes', async () => {
    const { change, shown, told, clock } = await open();
    const certificates = fixture('localhost.crt');
    await change({ certificates, privateKey: fixture('localhost.key') });
    expect(told()).toEqual(['listen.tls.certFile: is not valid before 2026-11-22T21:05:01.000Z']);
    await clock.advance(NOW + 60_999 - clock.now());
    expect(shown()).toBe(cert);
    await clock.advance(1);
    expect(shown()).toBe(certificates);
    expect(told()).toEqual(['used']);
  });

  it('does not take it if by then there is another one', async () => {
    const { change, shown, clock } = await open();
    await change({ certificates: fixture('localhost.crt'), privateKey: fixture('localhost.key') });
    await change({ certificates: fixture('chain.crt'), privateKey: key });
    await clock.advance(120_000);
    expect(shown()).toBe(fixture('chain.crt'));
  });

  it('waits for that in steps that a timer can hold', async () => {
    const { change, clock } = await open();
    await change({ certificates: fixture('future.crt') });
    expect(clock.longest).toBe(86_400_000);
  });

  it('takes whatever comes when what it has is not valid either', async () => {
    const { change, shown, told } = await open(fixture('expired.crt'));
    await change({ certificates: fixture('future.crt') });
    expect(shown()).toBe(fixture('future.crt'));
    await change({ certificates: cert });
    expect(shown()).toBe(cert);
    expect(told()).toEqual(['used', 'used']);
  });

  it('leaves no timer behind', async () => {
    const { change, clock, certificate, told } = await open();
    await change({ certificates: fixture('future.crt') });
    certificate.stop();
    told();
    await clock.advance(86_400_000);
    expect(clock.sleeping).toBe(0);
    expect(told()).toEqual([]);
  });
});
