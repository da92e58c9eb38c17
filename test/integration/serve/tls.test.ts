import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { freePort, type ServeProcess, waitFor } from '../serve-process.ts';
import { ServeWorld } from './serve-world.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
const FIXTURES = join(import.meta.dirname, '../../fixtures/tls');
const run = promisify(execFile);

const fixture = (name: string) => readFileSync(join(FIXTURES, name), 'utf8');
const NAMES = ['renewed', 'rsa-2048', 'ed25519'];
const AUTHORITIES = NAMES.map((name) => fixture(`${name}.crt`));
const fingerprint = (name: string) => new X509Certificate(fixture(`${name}.crt`)).fingerprint256;

/** A Secret volume: the files are links through `..data`, which the kubelet swaps. */
class SecretVolume {
  readonly path: string;
  #versions = 0;

  constructor(path: string) {
    this.path = path;
  }

  get files(): { certFile: string; keyFile: string } {
    return { certFile: join(this.path, 'tls.crt'), keyFile: join(this.path, 'tls.key') };
  }

  async write(certificate: string, key: string): Promise<void> {
    this.#versions += 1;
    const version = `..version-${this.#versions}`;
    await mkdir(join(this.path, version), { recursive: true });
    await writeFile(join(this.path, version, 'tls.crt'), certificate);
    await writeFile(join(this.path, version, 'tls.key'), key);
    await symlink(version, join(this.path, '..next'));
    await rename(join(this.path, '..next'), join(this.path, '..data'));
    if (this.#versions > 1) return;
    await symlink('..data/tls.crt', this.files.certFile);
    await symlink('..data/tls.key', this.files.keyFile);
  }

  async use(name: string): Promise<void> {
    await this.write(fixture(`${name}.crt`), fixture(`${name}.key`));
  }
}

/** Asks without a token, which costs nobody anything: 401. */
function ask(port: number, agent?: Agent): Promise<{ status: number; certificate: string }> {
  const options = {
    host: '127.0.0.1',
    port,
    path: '/v1/credentials',
    ca: AUTHORITIES,
    agent: agent ?? false,
  };
  return new Promise((resolve, reject) => {
    get(options, (response) => {
      // At once: a socket that is closed has none.
      const certificate = (response.socket as TLSSocket).getPeerCertificate().fingerprint256;
      response.resume().once('end', () => resolve({ status: response.statusCode ?? 0, certificate }));
    }).once('error', reject);
  });
}

describe('kerbridge serve with TLS', () => {
  let world: ServeWorld;
  let volume: SecretVolume;
  let serve: ServeProcess;
  let port: number;

  const certificateShown = async () => (await ask(port)).certificate;

  beforeAll(async () => {
    world = await ServeWorld.create();
    volume = new SecretVolume(join(world.folder, 'tls'));
    await volume.use('renewed');
    port = await freePort();
    serve = await world.serve({ listen: { address: '127.0.0.1', port, tls: volume.files } });
  });

  beforeEach(async () => {
    await volume.use('renewed');
    await waitFor(async () => (await certificateShown()) === fingerprint('renewed'));
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function fetchCredentials(url: string, ...more: string[]) {
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const serviceAccountTokenFile = join(world.folder, 'service-account-token');
    const output = join(world.folder, 'fetched.token');
    await writeFile(serviceAccountTokenFile, serviceAccountToken);
    const fixed = [
      '--service-account-token-file',
      serviceAccountTokenFile,
      '--output',
      output,
      '--deadline',
      '0',
    ];
    return {
      output,
      done: run(process.execPath, [MAIN, 'fetch', '--url', url, ...fixed, ...more]),
    };
  }

  it('gives nothing to a fetch that does not know its authority', async () => {
    const { done } = await fetchCredentials(`https://127.0.0.1:${port}`);
    await expect(done).rejects.toMatchObject({
      code: 4,
      stderr: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
    });
  });

  it('gives nothing to a fetch in plain HTTP', async () => {
    const { done } = await fetchCredentials(`http://127.0.0.1:${port}`);
    await expect(done).rejects.toMatchObject({ code: 4 });
    const metrics = await (await fetch(`${serve.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(/reason="tls-handshake"\} [1-9]/);
  });

  it('gives a fetch with --ca-file its credentials', async () => {
    const { output, done } = await fetchCredentials(
      `https://127.0.0.1:${port}`,
      ...['--ca-file', join(FIXTURES, 'renewed.crt')],
    );
    await done;
    expect(decodeCredentials(await readFile(output)).credentials.tokens.length).toBeGreaterThan(0);
  });

  it('changes its certificate under load without losing a request', async () => {
    const kept = new Agent({ keepAlive: true, maxSockets: 4 });
    const statuses: number[] = [];
    const seen = new Set<string>();
    const over = new AbortController();
    const client = async (agent?: Agent): Promise<void> => {
      while (!over.signal.aborted) {
        const { status, certificate } = await ask(port, agent);
        statuses.push(status);
        seen.add(certificate);
      }
    };
    const clients = [1, 2, 3, 4].flatMap(() => [client(kept), client()]);
    for (const name of ['rsa-2048', 'ed25519', 'renewed']) {
      await volume.use(name);
      await waitFor(async () => (await certificateShown()) === fingerprint(name), 5_000);
    }
    over.abort();
    await Promise.all(clients);
    kept.destroy();
    expect(new Set(statuses)).toEqual(new Set([401]));
    expect(seen).toEqual(new Set(NAMES.map(fingerprint)));
  });

  it('keeps its certificate while the files hold none that can be used, and says why', async () => {
    await volume.write(fixture('rsa-2048.crt'), fixture('renewed.key'));
    await waitFor(() => serve.output().includes('is not the key of the first certificate'));
    expect(await certificateShown()).toBe(fingerprint('renewed'));
    await volume.write(fixture('expired.crt'), fixture('renewed.key'));
    await waitFor(() => serve.output().includes('expired at 2021-01-01'));
    expect(await certificateShown()).toBe(fingerprint('renewed'));
  });

  it('is refused by --check-config with a key of another certificate', async () => {
    const wrong = join(world.folder, 'wrong.yaml');
    const tls = { certFile: join(FIXTURES, 'renewed.crt'), keyFile: join(FIXTURES, 'localhost.key') };
    const kubernetes = { kubeconfig: world.kubeconfig };
    await writeFile(wrong, stringify({ listen: { tls }, kubernetes, clusters: [world.cluster()] }));
    await expect(
      run(process.execPath, [MAIN, 'serve', '--config', wrong, '--check-config']),
    ).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('listen.tls.keyFile: is not the key'),
    });
  });

  it('passes --check-config, which ends', async () => {
    const right = join(world.folder, 'right.yaml');
    const kubernetes = { kubeconfig: world.kubeconfig };
    const listen = { address: '0.0.0.0', tls: volume.files };
    await writeFile(right, stringify({ listen, kubernetes, clusters: [world.cluster()] }));
    const { stdout } = await run(process.execPath, [MAIN, 'serve', '--config', right, '--check-config']);
    expect(stdout).toContain('listen: https://0.0.0.0:8080');
  });

  it('starts with an expired certificate, warns, and takes the new one', async () => {
    const expired = new SecretVolume(join(world.folder, 'expired'));
    await expired.write(fixture('expired.crt'), fixture('renewed.key'));
    const own = await freePort();
    const server = await world.serve({ listen: { address: '127.0.0.1', port: own, tls: expired.files } });
    await expect(ask(own)).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
    expect(server.output()).toContain('expired at 2021-01-01');
    await expired.use('ed25519');
    await waitFor(async () => (await ask(own).catch(() => undefined))?.status === 401);
  });

  it('has printed no key', () => {
    for (const name of ['renewed.key', 'rsa-2048.key', 'ed25519.key', 'localhost.key']) {
      for (const line of fixture(name)
        .split('\n')
        .filter((each) => each.length > 20 && !each.startsWith('-'))) {
        expect(serve.output()).not.toContain(line);
      }
    }
  });
});
