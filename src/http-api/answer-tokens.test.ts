import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { BEARER, get, startApi } from '../../test/fakes/api-world.ts';
import { AuditUnavailableError } from '../observability/audit-stream.ts';
import type { ApiOptions } from './create-api.ts';
import type { TokensRequest, TokensResult } from './tokens-route.ts';

const operator = 'system:serviceaccount:kerbridge:operator';
const document = { replica: 'kerbridge-0', tokens: [], truncated: false };

const answering =
  (result: TokensResult): ApiOptions['tokensRoute'] =>
  () =>
    Promise.resolve(result);

describe('GET /v1/tokens', () => {
  it.each<[TokensResult, number, string, object]>([
    [
      { outcome: 'not-authenticated', reason: 'no-bearer-token', detail: 'x' },
      401,
      'not-authenticated',
      { decision: 'refused', reason: 'no-bearer-token', detail: 'x' },
    ],
    [
      { outcome: 'not-authorized', operator, detail: 'no rule' },
      403,
      'not-allowed',
      { decision: 'refused', reason: 'not-authorized', operator, detail: 'no rule' },
    ],
    [
      { outcome: 'could-not-check', dependency: 'kubernetes-api', cause: new Error('down') },
      503,
      'authentication-unavailable',
      { decision: 'could-not-check', dependency: 'kubernetes-api' },
    ],
    [
      { outcome: 'invalid-request', detail: 'user can be given only once' },
      400,
      'invalid-request',
      { decision: 'malformed', reason: 'query', detail: 'user can be given only once' },
    ],
  ])('that is %j is a %i %s, audited', async (result, status, code, line) => {
    const { api, audit, log } = startApi({ tokensRoute: answering(result) });
    const response = await get(api, '/v1/tokens').expect(status);
    expect(response.body).toMatchObject({ status, code });
    expect(audit).toEqual([expect.objectContaining({ route: '/v1/tokens', status, code, ...line })]);
    expect(log()).toEqual([expect.objectContaining({ route: '/v1/tokens', status })]);
  });

  it.each(['post', 'put', 'delete', 'options'] as const)('by %s is a 405, audited', async (method) => {
    const { api, audit } = startApi({ tokensRoute: answering({ outcome: 'listed', operator, document }) });
    const response = await request(api)[method]('/v1/tokens').expect(405);
    expect(response.headers['allow']).toBe('GET, HEAD');
    expect(audit).toMatchObject([{ decision: 'malformed', status: 405 }]);
  });

  it('that throws is a 500', async () => {
    const { api, audit } = startApi({
      tokensRoute: async () => {
        throw Object.assign(new Error('hunter2'), { status: 200 });
      },
    });
    const response = await get(api, '/v1/tokens').expect(500);
    expect(response.text).not.toContain('hunter2');
    expect(audit).toMatchObject([{ decision: 'failed', code: 'internal' }]);
  });

  it('beyond its limit is a 503, and one line for many', async () => {
    const { api, audit, log } = startApi({ tokensRoute: answering({ outcome: 'overloaded' }) });
    await get(api, '/v1/tokens').expect(503);
    expect(audit).toEqual([]);
    expect(log()).toMatchObject([{ reason: 'too-many-authentications' }]);
  });

  it('lists nothing that the audit does not know of [tokens-audit-written]', async () => {
    const { api } = startApi({
      tokensRoute: answering({ outcome: 'listed', operator, document }),
      writeAudit: async () => {
        throw new AuditUnavailableError('failed');
      },
    });
    const response = await get(api, '/v1/tokens').expect(503);
    expect(response.body).toMatchObject({ code: 'audit-unavailable' });
  });

  it('answers with the document, and says who asked', async () => {
    const asked: TokensRequest[] = [];
    const { api, audit } = startApi({
      tokensRoute: (each) => {
        asked.push(each);
        return Promise.resolve({ outcome: 'listed', operator, document });
      },
    });
    const response = await get(api, '/v1/tokens?user=a%26b').expect(200);
    expect(response.body).toEqual(document);
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Authorization' });
    expect(asked).toMatchObject([{ authorization: [`Bearer ${BEARER}`], query: 'user=a%26b' }]);
    expect(audit).toMatchObject([{ decision: 'allowed', status: 200, code: 'ok', operator }]);
  });
});
