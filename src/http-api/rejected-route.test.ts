import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import {
  authenticationResult,
  BEARER,
  identityResult,
  pod,
  PROVEN,
  startApi,
} from '../../test/fakes/api-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import type { AuthenticatePod } from '../authentication/authentication-result.ts';
import type { RejectedOutcome } from '../delegation-tokens/rejected-token.ts';
import type { ApiOptions } from './create-api.ts';

const report = (api: ReturnType<typeof startApi>['api'], body: string = '{"sequenceNumber":-7}') =>
  request(api)
    .post('/v1/credentials/rejected')
    .set('Authorization', BEARER)
    .set('Content-Type', 'application/json')
    .send(body);

const answering = (outcome: RejectedOutcome): Partial<ApiOptions> => ({
  reportRejected: () => Promise.resolve(outcome),
});

describe('POST /v1/credentials/rejected', () => {
  it('asks about the token as one of the pod and of the user it is stamped with', async () => {
    const { api, seen, audit, log } = startApi();
    const response = await report(api).expect(200, { outcome: 'alive' });
    expect(response.headers['cache-control']).toBe('no-store');
    expect(seen.reports).toEqual([
      { namespace: pod.namespace, podUid: pod.uid, stampedUser: 'alice', sequenceNumber: -7 },
    ]);
    expect(seen.doAs).toEqual([undefined]);
    expect(audit).toEqual([
      expect.objectContaining({
        route: '/v1/credentials/rejected',
        method: 'POST',
        decision: 'allowed',
        status: 200,
        code: 'alive',
        pod: PROVEN,
        user: 'alice',
        sequenceNumbers: [-7],
      }),
    ]);
    expect(log()).toHaveLength(1);
  });

  it.each([
    ['dead', 'replaced'],
    ['unknown', 'unknown'],
  ] as const)('says of a token that is %s: %s', async (outcome, told) => {
    const { api, metrics } = startApi(answering(outcome));
    await report(api).expect(200, { outcome: told });
    expect(
      await metrics.registry.getSingleMetricAsString('kerbridge_delegation_token_rejections_total'),
    ).toContain(`{outcome="${told}"} 1`);
  });

  it('says when Hadoop cannot be asked, and when to come back', async () => {
    const { api, audit } = startApi(answering('unanswered'));
    const response = await report(api).expect(503);
    expect(response.body).toMatchObject({ code: 'hadoop-unavailable' });
    expect(response.headers['retry-after']).toMatch(/^\d+$/);
    expect(audit).toMatchObject([
      { decision: 'could-not-check', dependency: 'hadoop', reason: 'unanswered' },
    ]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'sequenceNumber=7'],
    ['no object', '7'],
    ['null', 'null'],
    ['a list', '[7]'],
    ['no number', '{}'],
    ['a text', '{"sequenceNumber":"7"}'],
    ['a fraction', '{"sequenceNumber":7.5}'],
    ['more than int32', '{"sequenceNumber":2147483648}'],
    ['less than int32', '{"sequenceNumber":-2147483649}'],
    ['something else besides', '{"sequenceNumber":7,"owner":"bob"}'],
    ['far too much', `{"sequenceNumber":7${' '.repeat(100_000)}}`],
  ])('refuses a body with %s, and asks nobody [rejected-report-well-formed]', async (_, body) => {
    const { api, seen, audit } = startApi();
    expect((await report(api, body).expect(400)).body).toMatchObject({
      code: 'invalid-request',
      title: expect.stringContaining('sequenceNumber'),
    });
    expect([seen.callers, seen.reports]).toEqual([[], []]);
    expect(audit).toMatchObject([{ decision: 'malformed', reason: 'body' }]);
  });

  it.each(['get', 'put', 'delete', 'patch'] as const)('is no %s [rejected-method]', async (method) => {
    const { api, seen } = startApi();
    const asked = request(api)[method]('/v1/credentials/rejected');
    const response = await asked.set('Authorization', BEARER).expect(405);
    expect(response.headers['allow']).toBe('POST');
    expect(seen.callers).toEqual([]);
  });

  it('asks nothing for who is not authenticated [rejected-authenticated]', async () => {
    const { api, seen, audit } = startApi({
      authenticatePod: authenticationResult({ outcome: 'refused', reason: 'pod-deleted' }),
    });
    await report(api).expect(401);
    expect(seen.reports).toEqual([]);
    expect(audit).toMatchObject([{ decision: 'refused', reason: 'pod-deleted' }]);
  });

  it('asks nothing for who speaks for nobody [rejected-identified]', async () => {
    const { api, seen, audit } = startApi({
      identifyUser: identityResult({ outcome: 'refused', reason: 'user-revoked', detail: 'alice' }),
    });
    await report(api).expect(403);
    expect(seen.reports).toEqual([]);
    expect(audit).toMatchObject([{ decision: 'refused', reason: 'user-revoked' }]);
  });

  it('tells nothing that is not in the audit [rejected-audit-written]', async () => {
    const { api } = startApi({ writeAudit: () => Promise.reject(new Error('disk full')) });
    expect((await report(api).expect(503)).body).toMatchObject({ code: 'audit-unavailable' });
  });

  describe('of a namespace all of whose reports wait', () => {
    /** As `authenticatePod` does with a caller who is not known from memory; `team-a` waits for its TokenReviews if told to. */
    function waiting(review: Promise<void>, tokens: Promise<void>) {
      const admitted: string[] = [];
      let namespace = 'team-a';
      const authenticatePod: AuthenticatePod = async (_caller, { admitCheck, admitPod } = {}) => {
        const own = { ...pod, namespace, uid: `pod-${admitted.length}` };
        if (admitCheck?.() === false) return { outcome: 'limited', limit: 'authentications' };
        const limit = admitPod?.(own);
        if (limit !== undefined) return { outcome: 'limited', limit, namespace };
        admitted.push(namespace);
        if (own.namespace === 'team-a') await review;
        // For a pod that the reflector does not know.
        if (admitCheck?.() === false) return { outcome: 'limited', limit: 'authentications' };
        return { outcome: 'authenticated', pod: own };
      };
      const world = startApi({
        authenticatePod,
        reportRejected: async (reported) => {
          if (reported.namespace === 'team-a') await tokens;
          return 'alive';
        },
      });
      return {
        /** Resolves when as many wait as may. */
        fill: async () => {
          const sent = Array.from({ length: 50 }, async () => (await report(world.api)).status);
          while (admitted.length < 50) await settle();
          await settle();
          return sent;
        },
        fromAnother: async () => {
          namespace = 'team-b';
          return (await report(world.api)).status;
        },
      };
    }

    it.each(['the API server', 'Hadoop'] as const)('for %s, keeps no other out', async (whom) => {
      const answered = Promise.withResolvers<void>();
      const now = Promise.resolve();
      const world = waiting(
        whom === 'Hadoop' ? now : answered.promise,
        whom === 'Hadoop' ? answered.promise : now,
      );
      const sent = await world.fill();
      const other = await world.fromAnother();
      answered.resolve();
      expect(new Set(await Promise.all(sent))).toEqual(new Set([200]));
      expect(other).toBe(200);
    });
  });

  it('is a 500 for a fault of ours, without a word of it', async () => {
    const { api } = startApi({ reportRejected: () => Promise.reject(new Error('hunter2')) });
    expect((await report(api).expect(500)).text).not.toContain('hunter2');
  });
});
