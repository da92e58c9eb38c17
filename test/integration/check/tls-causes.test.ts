import { execFile } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tlsChecks } from '../../../src/commands/check/tls-checks.ts';
import type { Finding } from '../../../src/preflight/finding.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { DEPLOY } from '../deploy/deploy-copy.ts';
import { ServeWorld } from '../serve/serve-world.ts';
import type { ServeProcess } from '../serve-process.ts';
import { CheckWorld } from './check-world.ts';
import { runChecks, sectionsOf, withOutcome } from './run-checks.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/tls');
const fixture = (name: string): string => join(FIXTURES, name);

/** Real files, and a real `serve` that shows them. */
describe('kerbridge check of TLS', () => {
  let world: ServeWorld;
  let checks: CheckWorld;
  /** Of make-certificate.sh: good for five days. */
  let soon: string;

  beforeAll(async () => {
    world = await ServeWorld.create();
    checks = await CheckWorld.create();
    soon = join(checks.folder, 'quick-start');
    await cp(join(DEPLOY, 'overlays/quick-start'), soon, { recursive: true });
    await promisify(execFile)('sh', [join(soon, 'make-certificate.sh'), '--days', '5']);
    soon = join(soon, 'files');
  });

  afterAll(async () => {
    await checks[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  const check = (
    tls: { readonly certFile: string; readonly keyFile: string } | undefined,
    { url, caFile, admin }: { readonly url?: string; readonly caFile?: string; readonly admin?: string } = {},
  ): Promise<ReadonlyMap<string, Finding>> => {
    const adminPort = admin === undefined ? {} : { admin: { port: Number(new URL(admin).port) } };
    return runChecks(
      tlsChecks({
        sections: sectionsOf({ listen: { ...(tls === undefined ? {} : { tls }) }, ...adminPort }),
        url: url === undefined ? undefined : new URL(url),
        caFile,
        clock: systemClock,
      }),
    );
  };
  const pair = (certificate: string, key: string) => ({
    certFile: fixture(certificate),
    keyFile: fixture(key),
  });

  describe('the files', () => {
    it('are skipped where there are none to be', async () => {
      expect(withOutcome(await check(undefined), 'skipped')).toEqual(['tls-files']);
    });

    it('are fine with the authority of their chain', async () => {
      const found = await check(pair('chain.crt', 'renewed.key'), { caFile: fixture('localhost.crt') });
      expect([...found.values()].map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
        'tls-files ok',
        'tls-validity ok',
        'tls-chain ok',
        'tls-names ok',
      ]);
    });

    it.each([
      ['expired.crt', 'renewed.key', 'tls-validity', 'expired at 2021-01-01', 'Renew it'],
      ['future.crt', 'renewed.key', 'tls-validity', 'not valid before 2120', 'Wait for that time'],
      [
        'renewed.crt',
        'rsa-2048.key',
        'tls-files',
        'not the key of the first certificate',
        'Give the two that were made together',
      ],
      [
        'rsa-1024.crt',
        'rsa-1024.key',
        'tls-files',
        'must be RSA of at least 2048 bits',
        'a certificate and its key',
      ],
      ['nowhere.crt', 'renewed.key', 'tls-files', 'ENOENT', 'correct listen.tls'],
      ['renewed.key', 'renewed.key', 'tls-files', 'holds no certificate', 'a certificate and its key'],
    ])('%s with %s: %s fails', async (certificate, key, id, detail, fix) => {
      const found = await check(pair(certificate, key));
      expect(withOutcome(found, 'failed')).toEqual([id]);
      expect(found.get(id)).toMatchObject({
        detail: expect.stringContaining(detail),
        fix: expect.stringContaining(fix),
      });
    });

    it('warns of a certificate that ends within two weeks, and of a name that it is not for', async () => {
      const tls = { certFile: join(soon, 'tls.crt'), keyFile: join(soon, 'tls.key') };
      // Nobody listens there.
      const found = await check(tls, { caFile: join(soon, 'ca.crt'), url: 'https://127.0.0.1:1' });
      expect(withOutcome(found, 'warning')).toEqual(['tls-validity', 'tls-names']);
      expect(found.get('tls-validity')?.detail).toMatch(/expires in 4 day\(s\)/);
      expect(found.get('tls-names')?.detail).toContain('and not for 127.0.0.1');
      expect(found.get('server')).toMatchObject({ outcome: 'failed', detail: 'not reached: ECONNREFUSED' });
      expect(found.get('server-ready')).toMatchObject({ outcome: 'skipped' });
    });

    it('knows a chain in the wrong order, and one that lacks its end', async () => {
      const [leaf = '', authority = ''] = (await readFile(fixture('chain.crt'), 'utf8')).split(
        /(?<=-----END CERTIFICATE-----\n)/,
      );
      const strange = await readFile(fixture('ed25519.crt'), 'utf8');
      const odd = join(checks.folder, 'odd.crt');
      await writeFile(odd, `${leaf}${strange}${authority}`);
      const keyFile = fixture('renewed.key');
      const found = await check({ certFile: odd, keyFile });
      expect(found.get('tls-chain')).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('number 2 (CN=ed25519) is not the issuer of number 1 (CN=localhost)'),
      });
      const short = join(checks.folder, 'short.crt');
      await writeFile(short, leaf);
      const ended = await check({ certFile: short, keyFile }, { caFile: fixture('ed25519.crt') });
      expect(ended.get('tls-chain')).toMatchObject({
        outcome: 'failed',
        fix: expect.stringContaining('Append the certificate of CN=localhost'),
      });
    });

    it('says so when --ca-file is no file of certificates, and looks at listen.tls all the same', async () => {
      const found = await check(pair('renewed.crt', 'renewed.key'), { caFile: fixture('renewed.key') });
      expect(withOutcome(found, 'failed')).toEqual(['ca-file']);
      expect(withOutcome(found, 'ok')).toContain('tls-files');
    });
  });

  describe('a running serve', () => {
    const show = (certificate: string, key: string): Promise<ServeProcess> =>
      world.serve({ listen: { tls: pair(certificate, key) } });

    it('is reached, trusted, ready and Kerbridge', async () => {
      const serve = await show('chain.crt', 'renewed.key');
      const found = await check(undefined, {
        url: serve.url,
        admin: serve.adminUrl,
        caFile: fixture('localhost.crt'),
      });
      expect([...found.values()].map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
        'tls-files skipped',
        'server ok',
        'server-certificate ok',
        'server-validity ok',
        'server-ready ok',
      ]);

      const untrusting = await check(undefined, { url: serve.url });
      expect(withOutcome(untrusting, 'failed')).toEqual(['server-certificate']);
      expect(untrusting.get('server-certificate')?.fix).toContain('as --ca-file');
      // The admin port is plain HTTP and another thing altogether.
      const other = await check(undefined, { url: serve.adminUrl });
      expect(withOutcome(other, 'failed')).toEqual(['server']);
    });

    it('shows a certificate that has expired: kerbridge check fails, and names what to do', async () => {
      const serve = await show('expired.crt', 'renewed.key');
      const config = await checks.writeConfig([checks.cluster()], {
        listen: { tls: pair('expired.crt', 'renewed.key') },
      });
      const args = ['--url', serve.url, '--ca-file', fixture('expired.crt')];
      const { exitCode, outcomes, of } = await checks.checkFile(config, ...args);
      expect(exitCode).toBe(1);
      expect(outcomes.filter((each) => each.endsWith(' failed'))).toEqual([
        'tls-validity failed',
        'server-certificate failed',
        'server-validity failed',
      ]);
      expect(of('server-certificate')).toMatchObject({
        detail: expect.stringContaining('CERT_HAS_EXPIRED'),
        fix: expect.stringContaining('Renew it'),
      });
    });

    it('has another name than clients use', async () => {
      const serve = await world.serve({
        listen: { tls: { certFile: join(soon, 'tls.crt'), keyFile: join(soon, 'tls.key') } },
      });
      const found = await check(undefined, { url: serve.url, caFile: join(soon, 'ca.crt') });
      expect(withOutcome(found, 'failed')).toEqual(['server-certificate']);
      expect(found.get('server-certificate')).toMatchObject({
        detail: expect.stringContaining('kerbridge.kerbridge.svc'),
        fix: expect.stringContaining('subjectAltName'),
      });
      expect(withOutcome(found, 'warning')).toEqual(['server-validity']);
    });
  });
});
