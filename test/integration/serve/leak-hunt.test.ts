import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Secret } from '../../../src/observability/secret.ts';
import { FORGERIES, TokenForger } from '../forged-tokens.ts';
import { TOKEN_REVIEW } from '../kubernetes-proxy.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { waitFor } from '../serve-process.ts';
import { LeakHuntWorld } from './leak-hunt-world.ts';
import { processTexts } from './process-texts.ts';
import { AUDIENCE } from './serve-world.ts';

const TLS = join(import.meta.dirname, '../../fixtures/tls');
const ANY_API_CALL = /^(?:GET|POST) \//;
const ANY_POD = /^GET \/api\/v1\/namespaces\/[^/]+\/pods\//;

describe('no secret is seen anywhere, whatever is refused and whatever fails', () => {
  let hunt: LeakHuntWorld;
  let parts: LeakHuntWorld['parts'];

  beforeAll(async () => {
    hunt = await LeakHuntWorld.create();
    ({ parts } = hunt);
  });

  afterAll(async () => {
    await hunt[Symbol.asyncDispose]();
  });

  it('every token that is refused', async () => {
    await using forger = await TokenForger.create(parts.world.stack);
    const real = new Secret((await hunt.newPod()).serviceAccountToken);
    expect((await hunt.ask(real.reveal())).status).toBe(200);
    for (const name of FORGERIES) {
      const forged = (await forger.forge(name, real)).reveal();
      hunt.secrets.addJwt(`token: ${name}`, forged);
      await hunt.ask(forged);
    }
    await hunt.ask(undefined);
    for (const scheme of ['Basic', 'Negotiate', 'Bearer ', 'bearer"', 'token']) {
      const pasted = `${scheme}-${crypto.randomUUID()}-pasted`;
      hunt.secrets.add('pasted into a header', pasted);
      await hunt.ask(undefined, { headers: [['Authorization', `${scheme} ${pasted}`]] });
      await hunt.ask(undefined, {
        headers: [
          ['Authorization', `Bearer ${pasted}`],
          ['Authorization', `Bearer ${real.reveal()}`],
          ['Cookie', `hadoop.auth=${pasted}`],
          ['X-Request-Id', pasted],
          ['User-Agent', pasted],
        ],
      });
      // In the URL, where nobody should put one.
      await hunt.ask(undefined, { path: `/v1/credentials?token=${pasted}` });
      await hunt.ask(undefined, { path: `/v1/credentials?delegation=${real.reveal()}` });
      await hunt.ask(undefined, { path: `/v1/${pasted}` });
    }
    await hunt.ask((await hunt.newPod({}, 'vault')).serviceAccountToken);
    const long = 'l'.repeat(20_000);
    await hunt.ask(`${real.reveal()}${long}`);
  });

  it('every pod and every user that is refused', async () => {
    const finished = await hunt.newPod({ phase: 'Succeeded' });
    const elsewhere = await hunt.newPod({ podIp: '127.0.0.2' });
    const early = await parts.world.namespace.createPod({ user: 'alice' });
    const earlyToken = (await parts.world.namespace.requestToken([AUDIENCE], { pod: early })).reveal();
    parts.world.shown.push(earlyToken);
    const gone = await parts.world.pod({ user: 'alice' });
    await parts.world.namespace.deletePod(gone.pod, 0);
    for (const token of [finished, elsewhere, gone].map(({ serviceAccountToken }) => serviceAccountToken)) {
      expect((await hunt.ask(token)).status).toBe(401);
    }
    expect((await hunt.ask(earlyToken)).status).toBe(503);
    for (const user of ['', 'hdfs', 'HDFS', 'a/b@C', 'alice\u0000', 'x'.repeat(300), 'nobody-knows']) {
      const { serviceAccountToken } = await hunt.newPod({ user });
      expect([403, 502]).toContain((await hunt.ask(serviceAccountToken)).status);
      expect([403, 502]).toContain(
        (await hunt.ask(serviceAccountToken, { path: '/v1/credentials?doAs=bob' })).status,
      );
    }
    const { serviceAccountToken } = await hunt.newPod();
    expect((await hunt.ask(serviceAccountToken, { path: '/v1/credentials?kind=kms-dt' })).status).toBe(404);
  });

  it('an API server that fails, and quotes what it was sent', async () => {
    const quoting = (token: string) => ({
      kind: 'Status',
      message: `cannot review ${token}, asked by Bearer ${parts.ownToken}`,
      status: { authenticated: false, error: `${token} is no good` },
    });
    for (const status of [200, 201, 400, 401, 403, 422, 429, 500, 503]) {
      const { serviceAccountToken } = await hunt.newPod();
      const end = parts.api.answer(TOKEN_REVIEW, status, quoting(serviceAccountToken));
      expect([401, 503]).toContain((await hunt.ask(serviceAccountToken)).status);
      end();
    }
    const { serviceAccountToken } = await hunt.newPod();
    const garbage = `<html>${serviceAccountToken} ${parts.ownToken}</html>`;
    const end = parts.api.answer(TOKEN_REVIEW, 201, garbage, {
      'content-type': 'text/html',
      warning: garbage,
    });
    expect((await hunt.ask(serviceAccountToken)).status).toBe(503);
    end();
    await hunt.askDuring([503], () => parts.api.drop(TOKEN_REVIEW));
    const over = Promise.withResolvers<undefined>();
    await hunt.askDuring([503], () => parts.api.hold(TOKEN_REVIEW, over.promise));
    over.resolve(undefined);
    // The pod itself: it has ended, so the API server is asked.
    const finished = await hunt.newPod({ phase: 'Failed' });
    const endPods = parts.api.answer(ANY_POD, 500, quoting(finished.serviceAccountToken));
    expect((await hunt.ask(finished.serviceAccountToken)).status).toBe(503);
    endPods();
  });

  it('an API server and a KDC that have failed from the start', async () => {
    const end = parts.api.answer(ANY_API_CALL, 500, { message: `no: Bearer ${parts.ownToken}` });
    const krb5Conf = join(parts.world.folder, 'no-kdc.conf');
    const rightConf = await readFile(parts.world.stack.krb5Conf, 'utf8');
    await writeFile(krb5Conf, rightConf.replaceAll(`:${parts.world.stack.kdc.port}`, ':1'));
    const lonely = await parts.world.serve(
      { ...parts.config, clusters: [parts.world.cluster({ krb5Conf })] },
      { untilReady: false },
    );
    const { serviceAccountToken } = await hunt.newPod();
    expect((await hunt.ask(serviceAccountToken, { from: lonely })).status).toBe(503);
    hunt.texts.push(['readiness', await (await fetch(`${lonely.adminUrl}/readyz`)).text()]);
    for (const dependency of ['kubernetes', 'kerberos/stack']) {
      await waitFor(() =>
        lonely.logLines().some((line) => line['level'] === 'warn' && line['dependency'] === dependency),
      );
    }
    hunt.texts.push(...(await processTexts(lonely.pid)));
    await lonely.stop();
    hunt.texts.push(['log of a serve without an API server', lonely.output()]);
    end();
  });

  it('a NameNode that fails, and quotes what it was sent', async () => {
    const quoted = (headers: object): string =>
      JSON.stringify({ headers, tokens: [...parts.tap.delegationTokens] });
    const exceptionOf = (message: string) =>
      JSON.stringify({ RemoteException: { exception: 'StandbyException', javaClassName: message, message } });
    const tokenOf = (urlString: string) => JSON.stringify({ Token: { urlString } });
    const [known = ''] = parts.tap.delegationTokens;
    for (const [type, bodyOf] of [
      ['text/html', (headers: object) => `<html><pre>${quoted(headers)}</pre></html>`],
      ['application/json', (headers: object) => exceptionOf(quoted(headers))],
      ['application/json', (headers: object) => `{"Token": ${quoted(headers)}`],
      ['application/json', () => tokenOf(`${known}!`)],
      ['application/json', () => tokenOf(known.slice(0, -8))],
    ] as const) {
      for (const status of [200, 401, 403]) {
        await hunt.askFalsely(({ headers }) => ({ status, type, body: bodyOf(headers) }));
      }
    }
    await hunt.askFalsely(({ headers }) => ({
      status: 307,
      type: 'text/plain',
      body: '',
      headers: { location: `http://localhost:1/?delegation=${known}&cookie=${headers.cookie}` },
    }));
    await hunt.askFalsely(() => 'cut');
    await hunt.askDuring([502], () => {
      parts.tampering.rewriteQuery = (query) => query.set('doas', 'bob');
      return () => (parts.tampering.rewriteQuery = () => undefined);
    });
    const over = Promise.withResolvers<void>();
    await hunt.askDuring([503], () => {
      parts.tampering.hold = over.promise;
      return () => {
        parts.tampering.hold = Promise.resolve();
        over.resolve();
      };
    });
  });

  it('a configuration and files that are wrong at the start', async () => {
    const { folder, stack } = parts.world;
    const written = async (name: string, content: string | Buffer): Promise<string> => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };
    const keytab = await readFile(stack.keytabs.kerbridge);
    const key = await readFile(join(TLS, 'localhost.key'), 'utf8');
    const cut = await written('cut.key', key.slice(0, -60));
    const damaged = await written('damaged.keytab', keytab.subarray(0, keytab.length - 10));
    const right = { clusters: [parts.world.cluster()], kubernetes: { kubeconfig: parts.world.kubeconfig } };
    const wrongValues = {
      clusters: [parts.world.cluster({ renewer: 7, principal: parts.ownToken, token: parts.ownToken })],
      kubernetes: { kubeconfig: parts.ownToken, maxTokenLifetime: parts.ownToken },
      identity: { userPattern: `(${parts.ownToken}`, denyUsers: [parts.ownToken] },
    };
    const wrongFiles = {
      clusters: [parts.world.cluster({ keytab: damaged })],
      kubernetes: {
        kubeconfig: await written('broken.kubeconfig', `users: [{user: {token: ${parts.ownToken}, : [}}]\n`),
      },
      listen: { tls: { certFile: cut, keyFile: cut } },
      identity: {
        rulesFile: await written('secret-rules.yaml', `version: 1\ndenyUsers: [${parts.ownToken}]\n`),
      },
    };
    const notTheKey = {
      ...right,
      listen: { tls: { certFile: join(TLS, 'renewed.crt'), keyFile: join(TLS, 'localhost.key') } },
      identity: { revocationsFile: await written('secret-list.yaml', `${parts.ownToken}\n`) },
    };
    const files = [stack.keytabs.kerbridge];
    for (const [name, content] of Object.entries({ wrongValues, wrongFiles, notTheKey })) {
      files.push(await written(`${name}.yaml`, stringify(content)));
    }
    const runs = await Promise.all(files.map((file) => kerbridge('serve', '--config', file)));
    for (const { exitCode, out, error } of runs) {
      expect([exitCode, error.length > 50]).toEqual([2, true]);
      hunt.texts.push(['a serve that does not start', out + error]);
    }
    const explained = runs.map(({ error }) => error).join('\n');
    for (const what of ['clusters[0].token', 'clusters[0].keytab', 'listen.tls', 'identity.rulesFile']) {
      expect(explained).toContain(what);
    }
  });

  it('an audit that cannot be written', async () => {
    const { serviceAccountToken } = await hunt.newPod();
    expect((await hunt.ask(serviceAccountToken)).status).toBe(200);
    await rename(parts.auditFile, `${parts.auditFile}.1`);
    // A folder in its place: the file is opened anew within a second, and can't be.
    await mkdir(parts.auditFile);
    await waitFor(async () => (await hunt.ask(serviceAccountToken)).json['code'] === 'audit-unavailable');
  });

  it('finds none of it', async () => {
    for (const path of ['metrics', 'readyz', 'livez']) {
      hunt.texts.push([path, await (await fetch(`${parts.serve.adminUrl}/${path}`)).text()]);
    }
    hunt.texts.push(...(await processTexts(parts.serve.pid)));
    await parts.serve.stop();
    hunt.texts.push(['log', parts.serve.output()], ['audit', await readFile(`${parts.auditFile}.1`, 'utf8')]);

    hunt.collectSecrets();
    expect(parts.serve.logLines().length).toBeGreaterThan(100);
    const names = [...hunt.secrets.all.keys()].map((name) => name.replace(/ \d+$/, ''));
    const startedAt = performance.now();
    const leaks = hunt.texts.flatMap(([where, content]) => hunt.secrets.search(content, where));
    const { secrets: count, bytes, forms, searched } = hunt.secrets.counts;
    process.stdout.write(
      `leak hunt: ${count} secrets of ${bytes} bytes in ${forms} forms, in ${hunt.texts.length} texts of ${searched} characters, ` +
        `${((performance.now() - startedAt) / 1000).toFixed(1)} s; answers: ` +
        `${[...hunt.statuses].map(([status, times]) => `${times} × ${status}`).join(', ')}\n`,
    );
    expect(leaks).toEqual([]);
    for (const kind of [
      'payload of a token that was shown',
      'signature of the token of our own account',
      'password of a delegation token',
      'identifier of a delegation token',
      'credentials file',
      'delegation token in a URL',
      'cookie',
      'signature of a cookie',
      'Negotiate header',
      'key of the keytab',
      'd of the signing key of service-account tokens',
      'd of the key of TLS',
    ]) {
      expect(names).toContain(kind);
    }
    expect(new Set(hunt.statuses.keys())).toEqual(new Set([200, 400, 401, 403, 404, 431, 502, 503]));
    expect(hunt.texts.map(([where]) => where)).toEqual(
      expect.arrayContaining([
        'log',
        'audit',
        'metrics',
        'readyz',
        'arguments of serve',
        'environment of a child',
      ]),
    );
  });

  it('would find each of them, written into the log of this very run', () => {
    const log = hunt.texts.find(([where]) => where === 'log')?.[1] ?? '';
    const [head, tail] = [log.slice(0, 100), log.slice(-100)];
    const missed: string[] = [];
    for (const [name, value] of hunt.secrets.all) {
      // Not even all of it.
      const middle = Math.floor(value.length / 2);
      const part = Buffer.from(value).subarray(Math.max(0, middle - 32), middle + 32);
      const inUrl = part.toString('hex').replaceAll(/../g, '%$&');
      for (const encoding of ['latin1', 'base64', 'base64url', 'hex', 'URL'] as const) {
        const written = encoding === 'URL' ? inUrl : part.toString(encoding);
        if (hunt.secrets.search(head + written + tail, 'planted').length === 0)
          missed.push(`${name}: ${encoding}`);
      }
    }
    expect(missed).toEqual([]);
    // And in the whole of it, where it would be lost on a reader.
    const middle = Math.floor(log.length / 2);
    const [cookie = ''] = parts.tap.cookies;
    const planted = `${log.slice(0, middle)}${encodeURIComponent(cookie)}${log.slice(middle)}`;
    expect(hunt.secrets.search(planted, 'log').map(({ secret }) => secret)).toContain('cookie');
  });
});
