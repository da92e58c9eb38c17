import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createOperatorAuthenticator,
  type OperatorAuthenticatorOptions,
} from '../../../src/authentication/authenticate-operator.ts';
import { SigningKeys } from '../../../src/authentication/signing-keys.ts';
import { createOperatorTokenFilter } from '../../../src/authentication/token-filter.ts';
import type { ListedToken } from '../../../src/delegation-tokens/listed-token.ts';
import { sendProblem } from '../../../src/http-api/problem.ts';
import {
  createTokensRoute,
  LIST_TOKENS,
  type TokensResult,
  tokensProblem,
} from '../../../src/http-api/tokens-route.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { readStack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  LEAST_RULES,
  type ServiceAccountLogin,
  TestNamespace,
} from '../kubernetes-objects.ts';
import { kerbridge } from './kerbridge-process.ts';

const ADMIN_AUDIENCE = 'kerbridge-admin';
const MAY_LIST = [{ apiGroups: ['kerbridge.dev'], resources: ['tokens'], verbs: ['list'] }];
const TOKEN: ListedToken = {
  cluster: 'stack',
  source: 'ns1',
  kind: 'HDFS_DELEGATION_TOKEN',
  services: ['127.0.0.1:8020'],
  owner: 'alice',
  stampedUser: 'alice',
  namespace: 'team-a',
  scope: 'namespace',
  podUid: undefined,
  renewer: 'kerbridge',
  sequenceNumber: 12,
  issuedAt: 1_767_225_600_000n,
  maxDate: 1_767_830_400_000n,
  expiresAt: 1_767_312_000_000n,
  state: 'current',
  handedOutUntil: 1_767_264_480_000,
  retiredAt: undefined,
  tombstonedAt: undefined,
  provenAt: undefined,
  holders: 2,
  failures: 0,
};

/** The route as `serve` has it, with the rights that `serve` has and no Hadoop. */
describe('GET /v1/tokens on the real API server', () => {
  let admin: string;
  let login: ServiceAccountLogin;
  /** Its account may list tokens; so may whoever runs as it. */
  let operators: ServiceAccountLogin;
  let namespace: TestNamespace;
  let kubernetes: KubernetesApi;
  let server: Server;
  let url: string;
  let filterServiceAccountToken: OperatorAuthenticatorOptions['filterServiceAccountToken'];
  const unprovenTokens = { take: () => false };
  let reviews = 0;
  const results: TokensResult[] = [];

  beforeAll(async () => {
    admin = (await readStack()).kubernetes.kubeconfig.admin;
    login = await createServiceAccountLogin(admin, LEAST_RULES);
    operators = await createServiceAccountLogin(admin, MAY_LIST);
    namespace = await TestNamespace.create(admin);
    kubernetes = loadKubernetesApi({ kubeconfig: login.kubeconfig });
    filterServiceAccountToken = createOperatorTokenFilter({
      keys: new SigningKeys({ readIssuer: kubernetes.readServiceAccountIssuer, clock: systemClock }),
      audience: ADMIN_AUDIENCE,
      issuers: [],
      maxTokenLifetimeMs: 24 * 3_600_000,
      clock: systemClock,
    });
    const route = createTokensRoute({
      authenticateOperator: createOperatorAuthenticator({
        filterServiceAccountToken,
        unprovenTokens,
        reviewServiceAccountToken: (serviceAccountToken, audiences, options) => {
          reviews += 1;
          return kubernetes.reviewServiceAccountToken(serviceAccountToken, audiences, options);
        },
        reviewAccess: kubernetes.reviewAccess,
        audience: ADMIN_AUDIENCE,
        access: LIST_TOKENS,
      }),
      listTokens: () => [TOKEN],
      replica: 'kerbridge-0',
    });
    server = createServer((request, response) => {
      void respond(request, response);
    });
    async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { searchParams } = new URL(request.url ?? '', 'http://x');
      const result = await route({
        authorization: request.headersDistinct['authorization'] ?? [],
        query: searchParams.toString(),
        signal: new AbortController().signal,
      });
      results.push(result);
      if (result.outcome === 'listed') {
        response.setHeader('Content-Type', 'application/json');
        response.end(JSON.stringify(result.document));
      } else {
        const problem = tokensProblem(result, () => 0);
        sendProblem(response, problem, 'r-1');
      }
    }
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }, 120_000);
  afterAll(async () => {
    server.close();
    kubernetes.close();
    await namespace.dispose();
    await operators.dispose();
    await login.dispose();
  }, 120_000);

  async function ask(serviceAccountToken: Secret<string>): Promise<[number, TokensResult | undefined]> {
    const response = await fetch(url, {
      headers: { Authorization: `Bearer ${serviceAccountToken.reveal()}` },
    });
    await response.arrayBuffer();
    return [response.status, results.at(-1)];
  }

  it('refuses what a pod shows for its credentials: another audience', async () => {
    const pod = await namespace.createPod();
    const serviceAccountToken = await namespace.requestToken(['kerbridge'], { pod });
    expect(await ask(serviceAccountToken)).toEqual([
      401,
      expect.objectContaining({ outcome: 'not-authenticated', reason: 'jwt-audience-differs' }),
    ]);
  }, 60_000);

  it.each([
    ['for the API server itself', [], 'jwt-audience-differs'],
    ['for pods too', [ADMIN_AUDIENCE, 'kerbridge'], 'jwt-several-audiences'],
  ])(
    'refuses a token %s',
    async (_name, audiences, reason) => {
      expect(await ask(await namespace.requestToken(audiences, {}))).toEqual([
        401,
        expect.objectContaining({ outcome: 'not-authenticated', reason }),
      ]);
    },
    60_000,
  );

  it('asks the API server nothing about garbage, forged tokens and other tokens', async () => {
    const before = reviews;
    const good = (await namespace.requestToken([ADMIN_AUDIENCE], {})).reveal();
    const other = (await namespace.requestToken([ADMIN_AUDIENCE], {})).reveal();
    const mixed = [...good.split('.').slice(0, 2), other.split('.')[2]].join('.');
    const reasons: unknown[] = [];
    for (const shown of ['garbagegarbagegarbage', mixed]) {
      const [status, result] = await ask(new Secret(shown));
      reasons.push([status, result !== undefined && 'reason' in result ? result.reason : result]);
    }
    expect(reasons).toEqual([
      [401, 'jwt-malformed'],
      [401, 'jwt-signature-invalid'],
    ]);
    expect(reviews).toBe(before);
  }, 60_000);

  it('refuses an account without the right, a pod’s too', async () => {
    const pod = await namespace.createPod();
    for (const bound of [{}, { pod }]) {
      expect(await ask(await namespace.requestToken([ADMIN_AUDIENCE], bound))).toEqual([
        403,
        {
          outcome: 'not-authorized',
          operator: `system:serviceaccount:${namespace.name}:trainer`,
          detail: expect.any(String),
        },
      ]);
    }
  }, 60_000);

  it('refuses through `kerbridge tokens`, with the right that is missing', async () => {
    const { exitCode, out, error } = await kerbridge(
      ...['tokens', '--url', url, '--kubeconfig', admin],
      ...['--service-account', `${namespace.name}/trainer`],
    );
    expect([exitCode, out]).toEqual([3, '']);
    expect(error).toMatch(/HTTP 403 not-allowed: .*; grant the service account `list` on `tokens`/);
  }, 60_000);

  it('names the right that a token for the account takes', async () => {
    const { exitCode, error } = await kerbridge(
      ...['tokens', '--url', url, '--kubeconfig', operators.kubeconfig],
      ...['--service-account', `${namespace.name}/trainer`],
    );
    expect([exitCode, error]).toEqual([
      3,
      expect.stringContaining(
        `\`create\` on \`serviceaccounts/token\` (name \`trainer\`) in namespace \`${namespace.name}\``,
      ),
    ]);
  }, 60_000);

  it('says when there is no such account', async () => {
    const { exitCode, error } = await kerbridge(
      ...['tokens', '--url', url, '--kubeconfig', admin, '--service-account', `${namespace.name}/nobody`],
    );
    expect([exitCode, error]).toEqual([1, expect.stringMatching(/no such service account/)]);
  }, 60_000);

  it('lists for an account with the right', async () => {
    const [, , account = '', name = ''] = operators.username.split(':');
    const ran = await kerbridge(
      ...['tokens', '--url', url, '--kubeconfig', admin, '--service-account', `${account}/${name}`],
      ...['--user', 'alice', '--json'],
    );
    expect(ran).toMatchObject({ exitCode: 0, error: '' });
    expect(JSON.parse(ran.out)).toMatchObject({
      replicas: [{ replica: 'kerbridge-0', tokens: [{ owner: 'alice', sequenceNumber: 12 }] }],
    });
    expect(results.at(-1)).toMatchObject({ outcome: 'listed', operator: operators.username });
  }, 60_000);

  it('could not check when serve itself may not ask', async () => {
    const powerless = loadKubernetesApi({ kubeconfig: operators.kubeconfig });
    const authenticate = createOperatorAuthenticator({
      filterServiceAccountToken,
      unprovenTokens,
      reviewServiceAccountToken: kubernetes.reviewServiceAccountToken,
      reviewAccess: powerless.reviewAccess,
      audience: ADMIN_AUDIENCE,
      access: LIST_TOKENS,
    });
    const serviceAccountToken = await namespace.requestToken([ADMIN_AUDIENCE], {});
    expect(await authenticate([`Bearer ${serviceAccountToken.reveal()}`])).toMatchObject({
      outcome: 'could-not-check',
      dependency: 'kubernetes-api',
      cause: { code: 'forbidden' },
    });
    powerless.close();
  }, 60_000);
});
