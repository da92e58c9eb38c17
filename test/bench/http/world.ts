import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/time/clock.ts';
import type { BareOptions } from './bare-side.ts';
import type { KerbridgeOptions } from './kerbridge-side.ts';
import type { LoadFigures, LoadOrder } from './load.ts';
import { KEY_ID, newSigningKey, PODS, serviceAccountTokenOf } from './pods.ts';
import { ask, type Side, start, startSide } from './process.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/tls');
export const TLS = {
  certFile: join(FIXTURES, 'localhost.crt'),
  keyFile: join(FIXTURES, 'localhost.key'),
};

/** What the measurements of the HTTP API have in common: tokens, what answers TokenReviews, what makes the load. */
export interface HttpWorld {
  readonly startKerbridge: (options?: Partial<KerbridgeOptions>) => Promise<Side>;
  readonly startBare: (
    options: Pick<BareOptions, 'tls'> & { readonly review?: boolean } & Answer,
  ) => Promise<Side>;
  readonly load: (order: LoadOrder) => Promise<LoadFigures>;
  readonly stop: () => Promise<void>;
}

/** What the bare server says. */
export interface Answer {
  readonly headers: readonly string[];
  readonly body: string;
}

export async function startHttpWorld(): Promise<HttpWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-bench-'));
  const { publicKey, tokens } = await podTokens();
  const tokensFile = join(folder, 'tokens');
  await writeFile(tokensFile, `${tokens.join('\n')}\n`, { mode: 0o600 });
  const jwk = { use: 'sig', alg: 'RS256', kid: KEY_ID, ...publicKey.export({ format: 'jwk' }) };
  const sides: Side[] = [];
  const run = async (file: string, args: readonly string[]): Promise<Side> => {
    const side = await startSide(file, args);
    sides.push(side);
    return side;
  };
  const endpoint = await run('api-endpoint.ts', [JSON.stringify({ keys: [jwk] })]);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${endpoint.port}`));
  const generator = await startGenerator(tokensFile);
  let started = 0;
  return {
    startKerbridge: async (options = {}) => {
      started += 1;
      const all: KerbridgeOptions = {
        kubeconfig,
        auditFile: join(folder, `audit-${started}`),
        logFile: join(folder, `log-${started}`),
        tls: undefined,
        express: false,
        reviewLifetimeMs: undefined,
        ...options,
      };
      return await run('kerbridge-side.ts', [JSON.stringify(all)]);
    },
    startBare: async ({ tls, review = false, headers, body }) => {
      const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
      const options: BareOptions = {
        tls,
        headers,
        body,
        review: review ? { port: endpoint.port, publicKey: pem } : undefined,
      };
      return await run('bare-side.ts', [JSON.stringify(options)]);
    },
    load: async (order) => {
      const figures = (await ask(generator, order)) as LoadFigures;
      if (figures.errors > 0)
        throw new Error(`${figures.errors} of ${figures.sent} requests failed: ${figures.sample}`);
      return figures;
    },
    stop: async () => {
      generator.kill();
      for (const side of sides) side.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let madeBefore: ReturnType<typeof makePodTokens> | undefined;

/** The same for all measurements of one run: 10,000 signatures take seconds, and each has servers that know none of them. */
const podTokens = (): ReturnType<typeof makePodTokens> => (madeBefore ??= makePodTokens());

async function makePodTokens() {
  const { privateKey, publicKey } = newSigningKey();
  const now = systemClock.now();
  const tokens = await Promise.all(
    Array.from({ length: PODS }, async (_, n) => await serviceAccountTokenOf(n, now, privateKey)),
  );
  return { publicKey, tokens };
}

async function startGenerator(tokensFile: string): Promise<ChildProcess> {
  const generator = start('load.ts', [tokensFile]);
  await new Promise((resolve) => generator.once('message', resolve));
  return generator;
}

/** What Node adds by itself, so the bare server adds it too. */
const BY_NODE = ['date', 'connection', 'keep-alive'];

/** An answer of Kerbridge, for the bare server to repeat. */
export function answerOf(sample: string): Answer {
  const [head = '', ...rest] = sample.split('\r\n\r\n');
  const headers = head
    .split('\r\n')
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
  const kept = headers.filter(
    (_, index) => !BY_NODE.includes((headers[index - (index % 2)] ?? '').toLowerCase()),
  );
  return { headers: kept, body: rest.join('\r\n\r\n') };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    clusters: [{ name: 'bench', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'bench', user: {} }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  });
}
