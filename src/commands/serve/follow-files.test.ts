import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { ConfigError } from '../../config/config-problem.ts';
import { type FileAccess, WatchedFile } from '../../config/watched-file.ts';
import { NO_IDENTITY_RULES } from '../../identity/identity-rules.ts';
import { createPublicKeys, newSigningKey } from '../../identity/stamps/stamp-keys.ts';
import { createLogger } from '../../observability/logger.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { followFiles } from './follow-files.ts';
import type { ServeFileChange, ServeFiles } from './open-files.ts';
import { TlsCertificate, type TlsPair } from './tls-certificate.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');

/** Long enough for a change to be seen. */
const NOTICED_MS = 2_000;

async function start(
  has: { rules?: boolean; revocations?: boolean; stampKeys?: boolean; tls?: string } = {},
  changeBefore: { text?: string; certificate?: string } = {},
) {
  const clock = new FakeClock();
  const texts = new Map([
    ['/tls.crt', has.tls ?? ''],
    ['/tls.key', fixture('renewed.key')],
    ['/text', ''],
  ]);
  const textOf = (path: string): string => texts.get(path) ?? '';
  const access: FileAccess = {
    fingerprint: (path) => Promise.resolve(textOf(path)),
    read: (path) => Promise.resolve(new TextEncoder().encode(textOf(path))),
  };
  const open = <T>(value: T) => {
    const parse = (text: string): T => {
      if (text !== '') throw new ConfigError([]);
      return value;
    };
    return WatchedFile.open({ path: '/text', parse, clock, files: access });
  };
  let tell: (change: ServeFileChange) => void = () => undefined;
  const files: ServeFiles = {
    rules: has.rules === true ? await open(NO_IDENTITY_RULES) : undefined,
    revocations: has.revocations === true ? await open([]) : undefined,
    stampKeys: has.stampKeys === true ? await open(createPublicKeys([newSigningKey()])) : undefined,
    tls:
      has.tls === undefined
        ? undefined
        : await TlsCertificate.open({ certFile: '/tls.crt', keyFile: '/tls.key', clock, files: access }),
    follow: (listener) => {
      tell = listener;
    },
    stop: () => undefined,
  };
  if (changeBefore.text !== undefined) texts.set('/text', changeBefore.text);
  if (changeBefore.certificate !== undefined) texts.set('/tls.crt', changeBefore.certificate);
  await clock.advance(NOTICED_MS);
  const used: TlsPair[] = [];
  const lines: string[] = [];
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const logger = createLogger({ level: 'debug', clock, destination: { write: (line) => lines.push(line) } });
  followFiles({ files }, { api: { useCertificate: (pair) => used.push(pair) }, metrics, logger });
  return {
    used,
    tell: (change: ServeFileChange) => tell(change),
    logged: () => lines.splice(0).map((line) => JSON.parse(line) as unknown),
    shown: async (name: string): Promise<string[]> =>
      (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`kerbridge_${name}`)),
    changeCertificate: async (certificates: string, privateKey: string) => {
      texts.set('/tls.crt', certificates);
      texts.set('/tls.key', privateKey);
      await clock.advance(NOTICED_MS);
    },
    stop: () => {
      for (const file of [files.rules, files.revocations, files.stampKeys, files.tls]) file?.stop();
    },
  };
}

describe('followFiles', () => {
  it('warns of a changed file that cannot be used, until one can', async () => {
    const { tell, logged, shown, stop } = await start({ rules: true });
    const problems = [{ path: 'identity.rulesFile', message: 'unknown key' }];
    tell({ file: 'rules', outcome: 'kept', problems });
    expect(logged()).toMatchObject([
      {
        level: 'warn',
        message: 'Changed file cannot be used; what it said before stays in use',
        file: 'rules',
        problems: ['identity.rulesFile: unknown key'],
      },
    ]);
    expect(await shown('file_ok')).toEqual(['kerbridge_file_ok{file="rules"} 0']);

    tell({ file: 'rules', outcome: 'reloaded', problems: [] });
    expect(logged()).toMatchObject([{ level: 'info', message: 'Changed file is in use', file: 'rules' }]);
    expect(await shown('file_ok')).toEqual(['kerbridge_file_ok{file="rules"} 1']);
    expect(await shown('file_reloads')).toEqual([
      'kerbridge_file_reloads_total{file="rules",outcome="kept"} 1',
      'kerbridge_file_reloads_total{file="rules",outcome="reloaded"} 1',
    ]);
    stop();
  });

  it('leaves the server its certificate when the new one cannot be used', async () => {
    const { changeCertificate, used, logged, shown, stop } = await start({ tls: fixture('renewed.crt') });
    await changeCertificate('nothing', fixture('renewed.key'));
    expect(used).toEqual([]);
    expect(logged()).toMatchObject([
      { level: 'warn', file: 'tls', problems: ['listen.tls.certFile: holds no certificate in PEM'] },
    ]);
    expect(await shown('file')).toEqual([
      'kerbridge_file_reloads_total{file="tls",outcome="kept"} 1',
      'kerbridge_file_ok{file="tls"} 0',
    ]);
    await changeCertificate(fixture('renewed.crt'), fixture('renewed.key'));
    expect(await shown('file_ok')).toEqual(['kerbridge_file_ok{file="tls"} 1']);
    stop();
  });

  it('gives the server its new certificate, and shows until when it is good', async () => {
    const { changeCertificate, used, logged, shown, stop } = await start({ tls: fixture('expired.crt') });
    logged();
    const before = await shown('tls_certificate');
    await changeCertificate(fixture('rsa-2048.crt'), fixture('rsa-2048.key'));
    expect(used).toMatchObject([{ certificates: fixture('rsa-2048.crt') }]);
    expect(logged()).toMatchObject([{ level: 'info', message: 'Changed file is in use', file: 'tls' }]);
    expect(await shown('file_ok')).toEqual(['kerbridge_file_ok{file="tls"} 1']);
    const after = await shown('tls_certificate');
    expect(after).toEqual([
      `kerbridge_tls_certificate_not_after_timestamp_seconds ${(used[0]?.notAfter ?? 0) / 1000}`,
    ]);
    expect(after).not.toEqual(before);
    stop();
  });

  it('warns at the start of a certificate that no client takes', async () => {
    const { logged, stop } = await start({ tls: fixture('expired.crt') });
    expect(logged()).toMatchObject([
      {
        level: 'warn',
        message: 'TLS certificate: no client will take it',
        warning: 'expired at 2021-01-01T00:00:00.000Z: renew it',
      },
    ]);
    stop();
  });

  it('shows which files could not be used before it began to follow them', async () => {
    const { shown, stop } = await start(
      { rules: true, revocations: true, stampKeys: true, tls: fixture('renewed.crt') },
      { text: 'x', certificate: 'nothing' },
    );
    expect(await shown('file_ok')).toEqual([
      'kerbridge_file_ok{file="rules"} 0',
      'kerbridge_file_ok{file="revocations"} 0',
      'kerbridge_file_ok{file="stamp-keys"} 0',
      'kerbridge_file_ok{file="tls"} 0',
    ]);
    stop();
  });

  it('shows each file that there is, and no other', async () => {
    const none = await start();
    expect(await none.shown('file_ok')).toEqual([]);
    expect(await none.shown('tls_certificate')).toEqual([]);
    const all = await start({
      rules: true,
      revocations: true,
      stampKeys: true,
      tls: fixture('renewed.crt'),
    });
    expect(await all.shown('file_ok')).toEqual([
      'kerbridge_file_ok{file="rules"} 1',
      'kerbridge_file_ok{file="revocations"} 1',
      'kerbridge_file_ok{file="stamp-keys"} 1',
      'kerbridge_file_ok{file="tls"} 1',
    ]);
    expect([...none.logged(), ...all.logged()]).toEqual([]);
    all.stop();
  });
});
