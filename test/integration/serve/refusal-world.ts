import { expect } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl } from '../../stack/stack.ts';
import type { TestNamespace, TestPod } from '../kubernetes-objects.ts';
import { KubernetesProxy, kubeconfigThrough } from '../kubernetes-proxy.ts';
import type { ServeProcess } from '../serve-process.ts';
import { askCredentials, AUDIENCE, ServeWorld } from './serve-world.ts';
import type { Answer } from './serve-world.ts';
import { TamperingProxy } from './tampering-proxy.ts';

/** What a caller may read, by code. */
const TITLES = {
  'not-authenticated': 'Not authenticated',
  'not-allowed': 'This pod gets no credentials',
  'authentication-unavailable': 'The caller cannot be checked now',
  overloaded: 'Too many requests at once',
  'too-many-requests': 'Too many requests at once from this namespace',
} as const;

const DECISIONS: Readonly<Record<number, string>> = {
  401: 'refused',
  403: 'refused',
  429: 'limited',
  503: 'could-not-check',
};

/** What is decided, as the operator reads it. */
export interface Refusal {
  readonly status: 401 | 403 | 429 | 503;
  readonly code: keyof typeof TITLES;
  readonly reason: string;
  readonly detail?: RegExp;
  readonly dependency?: string;
  /** The pod that was proven. */
  readonly pod?: TestPod;
  readonly doAs?: string;
  readonly sourceAddress?: string;
  /** Default: the one for credentials, and what comes with it. */
  readonly route?: string;
  readonly operator?: string;
  readonly title?: string;
}

export const notAuthenticated = (reason: string, more: Partial<Refusal> = {}): Refusal => ({
  status: 401,
  code: 'not-authenticated',
  reason,
  ...more,
});

export const notAllowed = (reason: string, more: Partial<Refusal> = {}): Refusal => ({
  status: 403,
  code: 'not-allowed',
  reason,
  ...more,
});

/**
 * A `serve` with a proxy on each side: what it asks of the API server is counted, and what reaches the NameNode. Nothing
 * that is refused may reach it.
 */
export class RefusalWorld implements AsyncDisposable {
  readonly world: ServeWorld;
  readonly kubernetes: KubernetesProxy;
  readonly nameNode: TamperingProxy;
  readonly serve: ServeProcess;
  /** The configuration for another `serve` behind the same proxies. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly #requestIds: string[] = [];

  private constructor(
    world: ServeWorld,
    kubernetes: KubernetesProxy,
    nameNode: TamperingProxy,
    { serve, config }: { serve: ServeProcess; config: Readonly<Record<string, unknown>> },
  ) {
    this.world = world;
    this.kubernetes = kubernetes;
    this.nameNode = nameNode;
    this.serve = serve;
    this.config = config;
  }

  static async create(
    change: (world: ServeWorld) => Promise<Record<string, unknown>> | Record<string, unknown> = () => ({}),
  ): Promise<RefusalWorld> {
    const world = await ServeWorld.create();
    const { kubernetes: apiServer, hdfs } = world.stack;
    await hdfsControl(hdfs).reset();
    const ca = await readFile(apiServer.caFile, 'utf8');
    const kubernetes = await KubernetesProxy.before(apiServer.server, ca);
    const kubeconfig = join(world.folder, 'proxied.kubeconfig');
    await writeFile(kubeconfig, await kubeconfigThrough(kubernetes, world.kubeconfig), { mode: 0o600 });
    const nameNode = await TamperingProxy.before(hdfs.nameNodes[0]?.httpUrl ?? '');
    const hadoopConf = await nameNode.confDir(hdfs, world.folder);
    const config = {
      kubernetes: { kubeconfig, audience: AUDIENCE },
      clusters: [world.cluster({ hadoopConf })],
      ...(await change(world)),
    };
    const serve = await world.serve(config);
    return new RefusalWorld(world, kubernetes, nameNode, { serve, config });
  }

  /** How often a delegation token was asked for. */
  get tokensAsked(): number {
    return this.nameNode.operations.filter((operation) => operation === 'GETDELEGATIONTOKEN').length;
  }

  /**
   * The caller learns the code and nothing more, the audit has one line that says all, and the NameNode was not asked.
   * `serve` is ours unless another one is named.
   */
  async expectRefused(ask: () => Promise<Answer>, refusal: Refusal, serve = this.serve): Promise<Answer> {
    const before = this.tokensAsked;
    const answer = await ask();
    await expectRefusal(serve, answer, refusal);
    expect(this.tokensAsked).toBe(before);
    if (serve === this.serve) this.#requestIds.push(String(answer.json['requestId']));
    return answer;
  }

  /** To be called at the end: none of the refused requests got a second line, and the way to the NameNode is open. */
  async expectOpenWay(namespace?: TestNamespace): Promise<void> {
    expect(this.#requestIds.length).toBeGreaterThan(0);
    const audited = this.serve.auditLines().map(({ requestId }) => requestId);
    for (const id of this.#requestIds) expect(audited.filter((each) => each === id)).toHaveLength(1);
    const before = this.tokensAsked;
    const good = await this.world.pod(
      { user: 'alice' },
      { namespace: namespace ?? (await this.world.anotherNamespace()) },
    );
    await this.expectAllowed(good.serviceAccountToken);
    expect(this.tokensAsked).toBe(before + 1);
  }

  async expectAllowed(serviceAccountToken: string, serve = this.serve): Promise<Answer> {
    const answer = await askCredentials(serve, serviceAccountToken);
    // With the line of the audit, which says why not.
    const told = answer.status === 200 ? {} : await serve.auditLineOf(answer.json['requestId']);
    expect({ ...told, status: answer.status }).toEqual({ status: 200 });
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.nameNode[Symbol.asyncDispose]();
    await this.kubernetes[Symbol.asyncDispose]();
  }
}

async function expectRefusal(serve: ServeProcess, answer: Answer, refusal: Refusal): Promise<void> {
  const { status, code, reason, detail, pod, sourceAddress = '127.0.0.1', ...more } = refusal;
  const { route = '/v1/credentials', title = TITLES[code], ...told } = more;
  const { requestId } = answer.json;
  expect({ status: answer.status, body: answer.json }).toEqual({
    status,
    body: { title, status, code, requestId: expect.any(String) },
  });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('etag')).toBeNull();
  expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
  if (status === 429 || status === 503) expect(answer.headers.get('retry-after')).toMatch(/^[1-9][0-9]?$/);

  const { audit, time, replica, detail: toldDetail = '', ...line } = await serve.auditLineOf(requestId);
  expect([audit, time, replica]).toEqual([1, expect.any(String), expect.any(String)]);
  expect(line).toEqual({
    decision: DECISIONS[status],
    requestId,
    route,
    method: 'GET',
    status,
    code,
    reason,
    ...told,
    ...(pod === undefined ? {} : { pod }),
    sourceAddress,
  });
  if (detail !== undefined) expect(toldDetail).toMatch(detail);
}
