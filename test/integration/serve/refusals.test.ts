import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { LeakHunter } from '../../fakes/leak-hunter.ts';
import { hdfsControl } from '../../stack/stack.ts';
import type { HdfsControl } from '../../stack/stack.ts';
import { createServiceAccountLogin, type ServiceAccountLogin } from '../kubernetes-objects.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { waitFor } from '../serve-process.ts';
import { notAllowed, notAuthenticated, RefusalWorld } from './refusal-world.ts';
import { askCredentials, askExactly } from './serve-world.ts';

const ADMIN_AUDIENCE = 'kerbridge-admin';
const MAY_LIST = [{ apiGroups: ['kerbridge.dev'], resources: ['tokens'], verbs: ['list'] }];

describe('refusals of requests, of operators and of what Hadoop answers', () => {
  let refusals: RefusalWorld;
  let control: HdfsControl;
  let operators: ServiceAccountLogin;

  beforeAll(async () => {
    refusals = await RefusalWorld.create();
    control = hdfsControl(refusals.world.stack.hdfs);
    operators = await createServiceAccountLogin(refusals.world.stack.kubernetes.kubeconfig.admin, MAY_LIST);
  });

  afterAll(async () => {
    await operators.dispose();
    await refusals[Symbol.asyncDispose]();
  });

  describe('the request', () => {
    it.each([
      ['a cluster that is not there', '?cluster=x', 'unknown-cluster', { cluster: 'x' }],
      ['a kind that is not there', '?kind=kms-dt', 'unknown-kind', { kind: 'kms-dt' }],
    ])('asks for %s: 404', async (_name, query, code, named) => {
      const { pod, serviceAccountToken } = await refusals.world.pod({ user: 'alice' });
      const before = refusals.tokensAsked;
      const answer = await askCredentials(refusals.serve, serviceAccountToken, { query });
      expect(answer.status).toBe(404);
      expect(answer.json).toMatchObject({ code, ...named });
      expect(await refusals.serve.auditLineOf(answer.json['requestId'])).toMatchObject({
        decision: 'malformed',
        reason: code,
        pod,
        user: 'alice',
      });
      expect(refusals.tokensAsked).toBe(before);
    });

    it('needs no check of who asks to be malformed: 400, the same for everybody', async () => {
      const { serviceAccountToken } = await refusals.world.pod({ user: 'alice' });
      const titles = new Set<unknown>();
      for (const token of [serviceAccountToken, undefined]) {
        const answer = await askCredentials(refusals.serve, token, { query: '?user=bob' });
        expect(answer.status).toBe(400);
        titles.add(answer.json['title']);
        const line = await refusals.serve.auditLineOf(answer.json['requestId']);
        expect(line).toMatchObject({ decision: 'malformed', reason: 'query' });
        expect(line).not.toHaveProperty('pod');
      }
      expect(titles.size).toBe(1);
    });
  });

  describe('operators', () => {
    const tokens = (url: string, account: string, ...more: readonly string[]) =>
      kerbridge(
        ...['tokens', '--url', url, '--kubeconfig', refusals.world.stack.kubernetes.kubeconfig.admin],
        ...['--service-account', account, ...more],
      );
    const accountOf = (username: string): string => username.split(':').slice(2).join('/');
    const askTokens = (serviceAccountToken: string) =>
      askExactly(refusals.serve, {
        path: '/v1/tokens',
        headers: [['Authorization', `Bearer ${serviceAccountToken}`]],
      });

    it('are no pods: what a pod shows for its credentials opens nothing here', async () => {
      const { serviceAccountToken } = await refusals.world.pod({ user: 'alice' });
      await refusals.expectRefused(
        () => askTokens(serviceAccountToken),
        notAuthenticated('jwt-audience-differs', { route: '/v1/tokens' }),
      );
    });

    it('have the right to it: an account without it, though its token is for us, is refused', async () => {
      const { namespace } = refusals.world;
      const token = await namespace.requestToken([ADMIN_AUDIENCE], {});
      await refusals.expectRefused(
        () => askTokens(token.reveal()),
        notAllowed('not-authorized', {
          route: '/v1/tokens',
          title: 'Not allowed',
          operator: `system:serviceaccount:${namespace.name}:trainer`,
        }),
      );
      const ran = await tokens(refusals.serve.url, `${namespace.name}/trainer`);
      expect([ran.exitCode, ran.out]).toEqual([3, '']);
    });

    it('get no credentials: what they show for the list opens nothing there', async () => {
      const { pod } = await refusals.world.pod({ user: 'alice' });
      const token = await refusals.world.namespace.requestToken([ADMIN_AUDIENCE], { pod });
      await refusals.expectRefused(
        () => askCredentials(refusals.serve, token.reveal()),
        notAuthenticated('jwt-audience-differs'),
      );
    });

    it('see which tokens there are, and no byte of them', async () => {
      const { serviceAccountToken } = await refusals.world.pod({ user: 'carol' });
      const { json } = await refusals.expectAllowed(serviceAccountToken);
      const file = Buffer.from(String(json['credentials']), 'base64');
      const [issued] = json['tokens'] as { sequenceNumber: number }[];
      const hunter = new LeakHunter();
      for (const { token } of decodeCredentials(file).credentials.tokens) {
        hunter.add('password', token.password);
        // Its owner and dates are in the list; all of it in a row is not.
        hunter.add('identifier', token.identifier);
      }
      for (const format of [['--json'], []]) {
        const ran = await tokens(refusals.serve.url, accountOf(operators.username), ...format);
        expect([ran.exitCode, ran.error]).toEqual([0, '']);
        expect(ran.out).toContain(String(issued?.sequenceNumber));
        expect(ran.out).toContain('carol');
        expect(hunter.search(ran.out, 'kerbridge tokens')).toEqual([]);
      }
      const [line] = refusals.serve.auditLines().filter(({ operator }) => operator === operators.username);
      expect(line).toMatchObject({ decision: 'allowed', status: 200, code: 'ok', route: '/v1/tokens' });
    });
  });

  describe('one request at once for each namespace', () => {
    it('429 to the second pod of a namespace, while those of another one wait their turn', async () => {
      const serve = await refusals.world.serve({ ...refusals.config, limits: { requestsPerNamespace: 1 } });
      const { nameNode, world } = refusals;
      const [crowded, other] = [await world.anotherNamespace(), await world.anotherNamespace()];
      const [first, second] = [
        await world.pod({ user: 'alice' }, { namespace: crowded }),
        await world.pod({ user: 'bob' }, { namespace: crowded }),
      ];
      const third = await world.pod({ user: 'bob' }, { namespace: other });
      const held = Promise.withResolvers<void>();
      nameNode.hold = held.promise;
      try {
        const before = nameNode.operations.length;
        const underWay = [first, third].map(({ serviceAccountToken }) =>
          askCredentials(serve, serviceAccountToken),
        );
        await waitFor(() => nameNode.operations.length > before);
        await refusals.expectRefused(
          () => askCredentials(serve, second.serviceAccountToken),
          {
            status: 429,
            code: 'too-many-requests',
            reason: 'namespace',
            detail: new RegExp(`^namespace ${crowded.name}$`),
          },
          serve,
        );
        held.resolve();
        for (const answer of await Promise.all(underWay)) expect(answer.status).toBe(200);
        await refusals.expectAllowed(second.serviceAccountToken, serve);
      } finally {
        held.resolve();
        nameNode.hold = Promise.resolve();
      }
    });
  });

  it('let nothing through, and the way was open', async () => {
    await refusals.expectOpenWay();
  });

  describe('the NameNode’s answer', () => {
    it('with a token of another owner: 502, and no token', async () => {
      const { nameNode, serve, world } = refusals;
      nameNode.rewriteQuery = (query) => {
        if (query.get('op') === 'GETDELEGATIONTOKEN') query.set('doas', 'bob');
      };
      const namespace = await world.anotherNamespace();
      const { pod, serviceAccountToken } = await world.pod({ user: 'alice' }, { namespace });
      const known = new Set((await control.tokens()).map(({ sequenceNumber }) => sequenceNumber));
      const answer = await askCredentials(serve, serviceAccountToken);
      const issued = (await control.tokens()).filter(({ sequenceNumber }) => !known.has(sequenceNumber));
      // The NameNode really did issue one for bob ...
      expect(issued).toContainEqual(expect.objectContaining({ owner: 'bob' }));
      // ... and alice's pod gets an error without it.
      expect(answer.status).toBe(502);
      expect(answer.json).toMatchObject({ status: 502, code: 'hadoop-error' });
      expect(Object.keys(answer.json)).not.toContain('credentials');
      const line = await serve.logLineOf(answer.json['requestId']);
      expect(line).toMatchObject({ reason: 'wrong-token', user: 'alice' });
      expect(JSON.stringify(line)).toMatch(/owner/);
      expect(await serve.auditLineOf(answer.json['requestId'])).toMatchObject({
        decision: 'failed',
        reason: 'wrong-token',
        pod,
        user: 'alice',
      });
      // The refusal is held for some seconds, then alice gets hers: bob's was never kept.
      nameNode.rewriteQuery = () => undefined;
      let next = answer;
      await waitFor(async () => (next = await askCredentials(serve, serviceAccountToken)).status === 200);
      expect(next.json['owner']).toBe('alice');
    });

    it.each([
      ['renewer', (query: URLSearchParams) => query.set('renewer', 'yarn')],
      ['kind', (query: URLSearchParams) => query.set('kind', 'WEBHDFS delegation')],
    ])('with a token of another %s: 502', async (_field, change) => {
      const { nameNode, serve, world } = refusals;
      nameNode.rewriteQuery = (query) => {
        if (query.get('op') === 'GETDELEGATIONTOKEN') change(query);
      };
      const namespace = await world.anotherNamespace();
      const { serviceAccountToken } = await world.pod({ user: 'alice' }, { namespace });
      const answer = await askCredentials(serve, serviceAccountToken);
      expect(answer.status).toBe(502);
      nameNode.rewriteQuery = () => undefined;
    });
  });
});
