import { request as httpRequest, createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import {
  authenticationResult,
  BEARER,
  failing,
  FILE,
  get,
  identityResult,
  issued,
  PASSWORD,
  pod,
  PROVEN,
  startApi as start,
} from '../../test/fakes/api-world.ts';
import {
  AUTHENTICATION_REFUSALS,
  COULD_NOT_AUTHENTICATE,
  COULD_NOT_IDENTIFY,
  IDENTITY_REFUSALS,
  TOKEN_SERVICE_FAILURES,
} from '../../test/fixtures/outcomes.ts';
import { TokenServiceError } from '../delegation-tokens/token-service.ts';
import type { IdentityResult } from '../identity/identity-result.ts';
import type { ApiOptions } from './create-api.ts';

describe('who calls', () => {
  it.each(AUTHENTICATION_REFUSALS)('%s is a 401 like every other', async (reason) => {
    const { api, log, seen, audit } = start({
      authenticatePod: authenticationResult({ outcome: 'refused', reason, detail: 'for the operator' }),
    });
    const response = await get(api).expect(401);
    expect(response.headers['www-authenticate']).toBe('Bearer');
    expect(response.headers['content-type']).toBe('application/problem+json');
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.headers['etag']).toBeUndefined();
    expect(response.text).toBe(
      '{"title":"Not authenticated","status":401,"code":"not-authenticated","requestId":"request-1"}',
    );
    expect(log()).toEqual([
      expect.objectContaining({
        outcome: 'not-authenticated',
        reason,
        detail: 'for the operator',
        status: 401,
      }),
    ]);
    expect(audit).toEqual([
      expect.objectContaining({
        decision: 'refused',
        status: 401,
        code: 'not-authenticated',
        reason,
        detail: 'for the operator',
        sourceAddress: '10.1.2.3',
        requestId: 'request-1',
        pod: undefined,
        user: undefined,
      }),
    ]);
    expect(seen.requests).toEqual([]);
    expect(seen.doAs).toEqual([]);
  });

  it.each(COULD_NOT_AUTHENTICATE)(
    'without %s is a 503 %s, to be tried again in %s s',
    async (dependency, code, retryAfter) => {
      const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1'), {
        status: 401,
        statusCode: 401,
        fix: 'look at the network',
        headers: 'hunter2',
      });
      const { api, log, seen, audit } = start({
        authenticatePod: authenticationResult({ outcome: 'could-not-check', dependency, cause }),
      });
      const response = await get(api).expect(503);
      expect(response.body).toEqual({ title: expect.any(String), status: 503, code, requestId: 'request-1' });
      expect(response.headers['retry-after']).toBe(retryAfter);
      expect(response.headers['www-authenticate']).toBeUndefined();
      expect(log()).toEqual([
        expect.objectContaining({
          level: 'warn',
          reason: dependency,
          failure: { fix: 'look at the network' },
          error: expect.objectContaining({ message: 'connect ECONNREFUSED 10.0.0.1' }),
        }),
      ]);
      expect(audit).toEqual([
        expect.objectContaining({ decision: 'could-not-check', status: 503, code, dependency }),
      ]);
      expect(seen.requests).toEqual([]);
    },
  );

  it('beyond the limit of its namespace is a 429, to be tried again', async () => {
    const { api, log, audit, metrics, seen } = start({
      authenticatePod: authenticationResult({ outcome: 'limited', limit: 'namespace', namespace: 'team-a' }),
    });
    const response = await get(api).expect(429);
    expect(response.body).toEqual({
      title: 'Too many requests at once from this namespace',
      status: 429,
      code: 'too-many-requests',
      requestId: 'request-1',
    });
    expect(response.headers['retry-after']).toBe('6');
    expect(log()).toEqual([expect.objectContaining({ outcome: 'limited', detail: 'namespace team-a' })]);
    expect(audit).toEqual([
      expect.objectContaining({
        decision: 'limited',
        status: 429,
        code: 'too-many-requests',
        reason: 'namespace',
        detail: 'namespace team-a',
      }),
    ]);
    expect(seen.requests).toEqual([]);
    expect(await metrics.registry.metrics()).toContain(
      'kerbridge_requests_limited_total{limit="namespace"} 1',
    );
  });

  it('hands over every Authorization line, and only those', async () => {
    const { api, seen } = start();
    const server = createServer(api).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.write(
            'GET /v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer one\r\n' +
              'X-Other: Bearer no\r\nauthorization: Bearer two\r\nConnection: close\r\n\r\n',
          );
        });
        socket.on('data', () => undefined).on('close', () => resolve());
      });
      expect(seen.callers.map(({ authorization }) => authorization)).toEqual([['Bearer one', 'Bearer two']]);
    } finally {
      server.close();
    }
  });

  it('gives an empty list where there is no Authorization line', async () => {
    const { api, seen } = start();
    await request(api).get('/v1/credentials').expect(200);
    expect(seen.callers).toEqual([{ authorization: [], sourceAddress: '10.1.2.3' }]);
  });

  it.each(['/v1/credentials', '/nowhere', '/v1/credentials?format=x'])(
    'leaves no Authorization in the request for %s',
    async (path) => {
      const { api } = start();
      let left: unknown;
      const observed: typeof api = (req, res) => {
        api(req, res);
        left = [req.headers, req.headersDistinct, req.rawHeaders];
      };
      await get(observed, path);
      expect(JSON.stringify(left)).toContain('127.0.0.1');
      expect(JSON.stringify(left)).not.toMatch(/authorization|eyJ/i);
    },
  );
});

describe('which user', () => {
  it.each(IDENTITY_REFUSALS)('%s is a 403 like every other', async (reason) => {
    const { api, log, seen, audit } = start({
      identifyUser: identityResult({ outcome: 'refused', reason, detail: 'hdfs (hdfs)' }),
    });
    const response = await get(api).expect(403);
    expect(response.body).toEqual({
      title: 'This pod gets no credentials',
      status: 403,
      code: 'not-allowed',
      requestId: 'request-1',
    });
    expect(log()).toEqual([
      expect.objectContaining({
        outcome: 'not-allowed',
        reason,
        detail: 'hdfs (hdfs)',
        pod: PROVEN,
      }),
    ]);
    expect(audit).toEqual([
      expect.objectContaining({
        decision: 'refused',
        status: 403,
        code: 'not-allowed',
        reason,
        detail: 'hdfs (hdfs)',
        pod: PROVEN,
        user: undefined,
      }),
    ]);
    expect(seen.requests).toEqual([]);
  });

  it.each(COULD_NOT_IDENTIFY)('without %s is a 503, to be tried again', async (dependency) => {
    const { api, log, audit, seen, metrics } = start({
      identifyUser: identityResult({ outcome: 'could-not-check', dependency, detail: 'too old' }),
    });
    const response = await get(api).expect(503);
    expect(response.body).toEqual({
      title: 'The user of this pod cannot be determined now',
      status: 503,
      code: 'identity-unavailable',
      requestId: 'request-1',
    });
    expect(response.headers['retry-after']).toBe('6');
    expect(log()).toEqual([
      expect.objectContaining({ level: 'warn', reason: dependency, detail: 'too old' }),
    ]);
    expect(audit).toEqual([
      expect.objectContaining({
        decision: 'could-not-check',
        status: 503,
        code: 'identity-unavailable',
        dependency,
        pod: PROVEN,
      }),
    ]);
    expect(seen.requests).toEqual([]);
    expect(await metrics.registry.metrics()).toContain(
      `kerbridge_identifications_total{outcome="could-not-check",reason="${dependency}"} 1`,
    );
  });

  it.each([
    [{ outcome: 'refused', reason: 'user-revoked' }, 403, 'not-allowed', 'user-revoked'],
    [{ outcome: 'could-not-check', dependency: 'revocations' }, 503, 'identity-unavailable', 'revocations'],
  ] as const)(
    'gives nothing when, while Hadoop was asked, it turned to %j [still-identified]',
    async (later, status, code, reason) => {
      const answers: IdentityResult[] = [
        { outcome: 'identified', stampedUser: 'alice', user: 'alice' },
        later,
      ];
      const { api, seen, audit } = start({ identifyUser: () => answers.shift() ?? later });
      const response = await get(api).expect(status);
      expect(response.body).toMatchObject({ code });
      expect(seen.requests).toHaveLength(1);
      expect(audit).toEqual([expect.objectContaining({ status, reason, user: 'alice' })]);
    },
  );

  it('asks for the tokens of whom identity named, in the namespace of the pod', async () => {
    const { api, seen } = start({
      identifyUser: identityResult({ outcome: 'identified', stampedUser: 'alice', user: 'etl' }),
    });
    await get(api, '/v1/credentials?doAs=bob').expect(200);
    expect(seen.requests).toEqual([
      { owner: 'etl', stampedUser: 'alice', namespace: 'team-a', podUid: pod.uid, selection: {} },
    ]);
  });

  it('gives nothing when it turned to a refusal while the audit was written, and says so there [identified-after-audit]', async () => {
    const revoked: IdentityResult = { outcome: 'refused', reason: 'user-revoked' };
    const alice: IdentityResult = { outcome: 'identified', stampedUser: 'alice', user: 'alice' };
    const answers = [alice, alice, revoked];
    const { api, audit } = start({ identifyUser: () => answers.shift() ?? revoked });
    const response = await get(api).expect(403);
    expect(response.body).toMatchObject({ code: 'not-allowed' });
    expect(audit.map(({ decision, reason, sequenceNumbers }) => [decision, reason, sequenceNumbers])).toEqual(
      [
        ['allowed', undefined, [-7]],
        ['refused', 'user-revoked', undefined],
      ],
    );
  });

  it('passes doAs on for identity to decide', async () => {
    const { api, seen } = start();
    await get(api, '/v1/credentials?doAs=etl').expect(200);
    await get(api).expect(200);
    // Before Hadoop is asked, after it, and after the audit.
    expect(seen.doAs).toEqual(['etl', 'etl', 'etl', undefined, undefined, undefined]);
  });
});

describe('which tokens', () => {
  it.each(TOKEN_SERVICE_FAILURES)('%s is a %i %s', async (failure, status, code, dependency) => {
    const error = new TokenServiceError(failure, 'User kerbridge may not impersonate alice', {
      endpoint: 'https://nn1:9871',
      exception: 'AuthorizationException',
      fix: 'set hadoop.proxyuser.kerbridge.users',
    });
    Object.assign(error, { status: 401 });
    const { api, log, audit } = start({ getCredentials: failing(error) });
    const response = await get(api).expect(status);
    expect(response.body).toEqual({ title: expect.any(String), status, code, requestId: 'request-1' });
    expect(response.text).not.toMatch(/impersonate|nn1|Authorization|proxyuser/);
    expect(response.headers['retry-after']).toBe(status === 503 ? '6' : undefined);
    expect(log()).toEqual([
      expect.objectContaining({
        level: 'warn',
        reason: failure,
        user: 'alice',
        failure: {
          endpoint: 'https://nn1:9871',
          exception: 'AuthorizationException',
          fix: 'set hadoop.proxyuser.kerbridge.users',
        },
        error: expect.objectContaining({ message: 'User kerbridge may not impersonate alice' }),
      }),
    ]);
    expect(audit).toEqual([
      expect.objectContaining({
        decision: status === 503 ? 'could-not-check' : 'failed',
        status,
        code,
        reason: failure,
        dependency,
        pod: PROVEN,
        user: 'alice',
        exception: 'AuthorizationException',
        endpoint: 'https://nn1:9871',
        sequenceNumbers: undefined,
      }),
    ]);
  });

  it.each([
    ['unknown-cluster', { cluster: 'elsewhere' }],
    ['unknown-kind', { kind: 'elsewhere' }],
  ] as const)('%s is a 404 that names it', async (outcome, named) => {
    const { api, log, audit } = start({
      getCredentials: () => Promise.resolve({ outcome, name: 'elsewhere' }),
    });
    const response = await get(api).expect(404);
    expect(response.body).toEqual({
      title: expect.any(String),
      status: 404,
      code: outcome,
      requestId: 'request-1',
      ...named,
    });
    expect(log()).toEqual([
      expect.objectContaining({ outcome: 'not-found', reason: outcome, detail: 'elsewhere' }),
    ]);
    expect(audit).toEqual([
      expect.objectContaining({
        decision: 'malformed',
        status: 404,
        code: outcome,
        detail: 'elsewhere',
        user: 'alice',
      }),
    ]);
  });

  it('is a 503 when every kind is optional and none can be had: there is nothing to hand out', async () => {
    const nothing = { ...issued, tokens: [], missing: [{ kind: 'kms-dt', code: 'unreachable' }] };
    const { api, log, metrics, audit } = start({ getCredentials: () => Promise.resolve(nothing) });
    for (const accept of ['application/json', 'application/octet-stream']) {
      const response = await get(api, '/v1/credentials?optional=kms-dt').set('Accept', accept).expect(503);
      expect(response.headers['content-type']).toBe('application/problem+json');
      expect(response.headers['retry-after']).toBe('6');
      expect(JSON.parse(response.text || String(response.body))).toMatchObject({
        code: 'hadoop-unavailable',
      });
    }
    expect(log()[0]).toMatchObject({ level: 'warn', reason: 'nothing-issued', missing: nothing.missing });
    expect(audit[0]).toMatchObject({ decision: 'could-not-check', status: 503, dependency: 'hadoop' });
    expect(await metrics.registry.metrics()).toContain(
      'kerbridge_credentials_total{outcome="nothing-issued"} 2',
    );
  });

  it('spreads Retry-After over the whole range', async () => {
    const seen = new Set<unknown>();
    for (const random of [0, 0.3, 0.999_999]) {
      const error = new TokenServiceError('unreachable', 'x');
      const response = await get(start({ getCredentials: failing(error), random: () => random }).api);
      seen.add(response.headers['retry-after']);
    }
    expect([...seen]).toEqual(['2', '4', '10']);
  });
});

describe('what nobody foresaw', () => {
  const secret = 'a message with hunter2 in it';

  it.each<[string, unknown]>([
    ['an error', new Error(secret)],
    ['an error with a status of 401', Object.assign(new Error(secret), { status: 401, statusCode: 401 })],
    ['an error with a status of 200', Object.assign(new Error(secret), { status: 200, expose: true })],
    [
      'an error with headers',
      Object.assign(new Error(secret), { status: 302, headers: { Location: '//evil' } }),
    ],
    ['an axios-like error', Object.assign(new Error(secret), { response: { status: 404, data: secret } })],
    ['a text', secret],
    ['nothing', undefined],
    ['null', null],
    ["Express's word for skipping a route", 'route'],
    ["Express's word for leaving a router", 'router'],
  ])('%s is a 500 that tells nothing', async (_name, thrown) => {
    for (const overrides of [
      { authenticatePod: failing(thrown) as unknown as ApiOptions['authenticatePod'] },
      {
        identifyUser: () => {
          throw thrown;
        },
      },
      { getCredentials: failing(thrown) },
      {
        encodeCredentials: () => {
          throw thrown;
        },
      },
    ]) {
      const { api, log, audit } = start(overrides);
      const response = await get(api).expect(500);
      expect(response.body).toEqual({
        title: 'Internal error',
        status: 500,
        code: 'internal',
        requestId: 'request-1',
      });
      expect(JSON.stringify(response.headers)).not.toMatch(/evil|hunter2/);
      expect(log()).toEqual([expect.objectContaining({ level: 'error', status: 500, reason: 'internal' })]);
      expect(audit).toEqual([expect.objectContaining({ decision: 'failed', status: 500, code: 'internal' })]);
    }
  });

  it('a fault in telling the address is a 500, and not the end of the process', async () => {
    const { api, seen } = start({
      sourceAddressOf: () => {
        throw new Error(secret);
      },
    });
    await get(api).expect(500);
    expect(seen.callers).toEqual([]);
  });

  it('answers malformed targets itself, and audits them', async () => {
    const { api, audit } = start();
    const server = createServer(api).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      for (const path of ['/%', '/v1/%zz', '/v1/credentials%ff', 'http://[bad/v1/credentials', '*']) {
        const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
          httpRequest({ port, host: '127.0.0.1', path, method: path === '*' ? 'OPTIONS' : 'GET' }, (res) => {
            let text = '';
            res.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk;
            });
            res.on('end', () => resolve({ status: res.statusCode, text }));
          })
            .on('error', reject)
            .end();
        });
        expect([path, answer.status]).toEqual([path, 400]);
        expect(JSON.parse(answer.text)).toMatchObject({ code: 'invalid-request' });
        expect(audit.at(-1)).toMatchObject({ decision: 'malformed', status: 400, reason: 'target' });
      }
      expect(audit).toHaveLength(5);
    } finally {
      server.close();
    }
  });
});

describe('malformed requests', () => {
  it.each([
    ['color=1', /unknown query parameter/],
    ['Kind=x', /unknown query parameter/],
    ['kind', /^kind must be/],
    ['kind=', /^kind must be/],
    ['doAs=', /^doAs must be/],
    ['cluster=a&cluster=b', /^cluster can be given only once/],
    ['cluster=a&cluster=a', /^cluster can be given only once/],
    ['doAs=a&doAs=b', /^doAs can be given only once/],
    ['format=writable&format=protobuf', /^format can be given only once/],
    ['format=java', /^format must be writable or protobuf/],
    ['format=constructor', /^format must be/],
    ['__proto__=x', /unknown query parameter/],
    ['kind=%zz', /percent-encoded/],
    ['kind=%ff', /percent-encoded/],
    ['kind=a%0ab', /^kind must be/],
    ['cluster=%00', /^cluster must be/],
    ['doAs=%C3%A4', /^doAs must be/],
    [`cluster=${'x'.repeat(257)}`, /^cluster must be/],
    [Array.from({ length: 17 }, (_, index) => `kind=k${index}`).join('&'), /^kind can be given at most 16/],
    ['kind=a&optional=a', /^optional names a kind/],
    ['kind[]=a', /unknown query parameter/],
    ['&', /unknown query parameter/],
  ])('?%s is a 400 [query-well-formed]', async (query, title) => {
    const { api, seen, audit } = start();
    const response = await get(api, `/v1/credentials?${query}`).expect(400);
    expect(response.body).toEqual({
      title: expect.stringMatching(title),
      status: 400,
      code: 'invalid-request',
      requestId: 'request-1',
    });
    expect(audit).toEqual([
      expect.objectContaining({
        decision: 'malformed',
        status: 400,
        code: 'invalid-request',
        reason: 'query',
      }),
    ]);
    expect(seen.callers).toEqual([]);
  });

  it('repeated kinds are taken, twice the same as one', async () => {
    const { api, seen } = start();
    await get(api, '/v1/credentials?kind=a&kind=WEBHDFS+delegation&kind=a&optional=b&cluster=c').expect(200);
    expect(seen.requests[0]?.selection).toEqual({
      cluster: 'c',
      kinds: ['a', 'WEBHDFS delegation'],
      optionalKinds: ['b'],
    });
  });

  it.each(['text/html', 'image/*', 'application/json;q=0', 'nonsense'])(
    'Accept: %s is a 406 [type-acceptable]',
    async (accept) => {
      const { api, seen, audit } = start();
      const response = await get(api).set('Accept', accept).expect(406);
      expect(response.body).toMatchObject({ code: 'not-acceptable' });
      expect(audit).toEqual([
        expect.objectContaining({ decision: 'malformed', status: 406, code: 'not-acceptable' }),
      ]);
      expect(seen.callers).toEqual([]);
    },
  );

  it.each(['post', 'put', 'patch', 'delete', 'options'] as const)(
    '%s is a 405 [method-allowed]',
    async (method) => {
      const { api, seen, audit } = start();
      const response = await request(api)[method]('/v1/credentials').expect(405);
      expect(response.headers['allow']).toBe('GET, HEAD');
      expect(response.body).toMatchObject({ code: 'method-not-allowed', status: 405 });
      expect(audit).toEqual([
        expect.objectContaining({ decision: 'malformed', status: 405, code: 'method-not-allowed' }),
      ]);
      expect(seen.callers).toEqual([]);
    },
  );

  it.each([
    '/',
    '/v1',
    '/v1/credentials/',
    '/v1/credentials/x',
    '/V1/credentials',
    '/v1/credentials;x',
    '/metrics',
  ])('%s is a 404', async (path) => {
    const { api, seen, metrics, audit } = start();
    const response = await get(api, path).expect(404);
    expect(response.body).toEqual({
      title: 'No such resource',
      status: 404,
      code: 'not-found',
      requestId: 'request-1',
    });
    expect(response.headers['content-type']).toBe('application/problem+json');
    expect(seen.callers).toEqual([]);
    expect(await metrics.registry.metrics()).toContain(
      'kerbridge_http_requests_total{route="unmatched",method="GET",status="404"} 1',
    );
    expect(audit).toEqual([]);
  });
});

/** Another time to come back. */
const LATER = { since: 5, periodMs: 5 };

describe('the answer', () => {
  it('is JSON by default, with every date readable', async () => {
    const { api } = start();
    const response = await get(api).expect(200);
    expect(response.headers['content-type']).toBe('application/json');
    const token = {
      cluster: 'default',
      kind: 'HDFS_DELEGATION_TOKEN',
      owner: 'alice',
      renewer: 'kerbridge',
      issuedAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2026-01-02T00:00:00.000Z',
      maxDate: '9999-12-31T23:59:59.999Z',
      sequenceNumber: -7,
    };
    expect(response.body).toEqual({
      owner: 'alice',
      cluster: 'default',
      credentials: FILE.toString('base64'),
      tokens: [
        { ...token, service: 'ha-hdfs:ns1' },
        { ...token, service: '10.0.0.1:8020' },
      ],
      refreshAfter: '2026-01-01T06:46:40.000Z',
      missing: [{ kind: 'kms-dt', code: 'unreachable' }],
    });
  });

  it('as a file has the bytes that the JSON has in base64', async () => {
    const { api } = start();
    const file = await get(api).set('Accept', 'application/octet-stream').buffer(true).expect(200);
    expect(file.headers['content-type']).toBe('application/octet-stream');
    expect(Buffer.compare(file.body as Buffer, FILE)).toBe(0);
    const json = await get(api).expect(200);
    expect((json.body as { credentials: string }).credentials).toBe((file.body as Buffer).toString('base64'));
  });

  it('comes in the format that is asked for', async () => {
    const { api } = start();
    const response = await get(api, '/v1/credentials?format=protobuf').set(
      'Accept',
      'application/octet-stream',
    );
    expect((response.body as Buffer).toString()).toBe('protobuf');
  });

  it('is never stored, and says nothing of what made it', async () => {
    const { api } = start();
    const { headers } = await get(api).set('X-Request-Id', 'mine').expect(200);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      vary: 'Accept, Authorization',
      'x-request-id': 'request-1',
      'x-content-type-options': 'nosniff',
    });
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers['set-cookie']).toBeUndefined();
  });

  it('to HEAD is the same without a body', async () => {
    const { api } = start();
    const got = await get(api).expect(200);
    const head = await request(api)
      .head('/v1/credentials')
      .set('Authorization', `Bearer ${BEARER}`)
      .expect(200);
    expect(head.headers['content-length']).toBe(got.headers['content-length']);
    expect(head.headers['etag']).toBe(got.headers['etag']);
    expect(head.text).toBeUndefined();
  });

  it.each([
    ['application/json', /^W\/"[\w-]{43}"$/],
    ['application/octet-stream', /^"[\w-]{43}"$/],
  ])('as %s is a 304 for who has it already', async (accept, etag) => {
    const { api } = start();
    const { headers } = await get(api).set('Accept', accept).expect(200);
    expect(headers['etag']).toMatch(etag);
    const again = await get(api)
      .set('Accept', accept)
      .set('If-None-Match', headers['etag'] ?? '')
      .expect(304);
    expect(again.text).toBe('');
    expect(again.headers['etag']).toBe(headers['etag']);
    expect(again.headers['cache-control']).toBe('no-store');
    expect(again.headers['content-type']).toBeUndefined();
  });

  it.each(['application/json', 'application/octet-stream'])(
    'as %s says in its headers when to ask again, with a 304 too, and never in an error',
    async (accept) => {
      const { api } = start();
      const headers = {
        'kerbridge-refresh-after': '24400',
        'kerbridge-sequence-numbers': '-7',
      };
      const whole = await get(api).set('Accept', accept).expect(200);
      expect(whole.headers).toMatchObject(headers);
      expect(whole.headers).not.toHaveProperty('kerbridge-valid-for');
      const again = await get(api)
        .set('Accept', accept)
        .set('If-None-Match', whole.headers['etag'] ?? '')
        .expect(304);
      expect(again.headers).toMatchObject(headers);
      const refused = start({
        authenticatePod: authenticationResult({ outcome: 'refused', reason: 'pod-deleted' }),
      });
      const { headers: none } = await get(refused.api).set('Accept', accept).expect(401);
      expect(Object.keys(none).filter((name) => name.startsWith('kerbridge-'))).toEqual([]);
    },
  );

  it('is a 304 also for fetch(), which adds Cache-Control: no-cache', async () => {
    const { api } = start();
    const { headers } = await get(api).expect(200);
    const conditional = {
      'If-None-Match': headers['etag'] ?? '',
      'Cache-Control': 'no-cache',
      Pragma: 'no-cache',
    };
    await get(api).set(conditional).expect(304);
  });

  it.each([
    ['another ETag', { 'If-None-Match': '"something-else"' }],
    ['a date', { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' }],
  ])('is whole for who has %s', async (_name, headers) => {
    await get(start().api).set(headers).expect(200);
  });

  it.each<[string, Partial<typeof issued>, string, number]>([
    ['another refreshAfter', { missing: [], refresh: LATER }, 'application/json', 304],
    ['another refreshAfter', { missing: [], refresh: LATER }, 'application/octet-stream', 304],
    ['another refreshAfter while a kind is missing', { refresh: LATER }, 'application/json', 200],
    ['no kind missing any more', { missing: [] }, 'application/json', 200],
    [
      'a later expiry',
      { tokens: issued.tokens.map((held) => ({ ...held, expiresAt: 1n })) },
      'application/json',
      304,
    ],
    ['another cluster', { cluster: 'b' }, 'application/json', 200],
  ])('with %s, as %s, after the first', async (_name, change, accept, status) => {
    const { missing = issued.missing, refresh } = change;
    const answers = [
      { ...issued, ...(refresh === undefined ? {} : { missing }) },
      { ...issued, ...change },
    ];
    const { api } = start({
      getCredentials: () => Promise.resolve(answers.shift() ?? issued),
    });
    const { headers } = await get(api).set('Accept', accept).expect(200);
    await get(api)
      .set('Accept', accept)
      .set('If-None-Match', headers['etag'] ?? '')
      .expect(status);
  });

  it('is checked like any other before a 304', async () => {
    const { api } = start({
      authenticatePod: authenticationResult({ outcome: 'refused', reason: 'pod-finished' }),
    });
    await get(api).set('If-None-Match', '*').expect(401);
  });

  it('has another ETag in another representation, with other bytes, and in another process', async () => {
    const { api } = start();
    const etags = [
      (await get(api)).headers['etag'],
      (await get(api).set('Accept', 'application/octet-stream')).headers['etag'],
      (await get(api, '/v1/credentials?format=protobuf')).headers['etag'],
      (await get(start().api)).headers['etag'],
    ];
    expect(new Set(etags).size).toBe(4);
  });
});

describe('the log line and the numbers', () => {
  it.each([
    ['credentials', {}, 200],
    [
      'a refusal',
      { authenticatePod: authenticationResult({ outcome: 'refused', reason: 'pod-deleted' }) },
      401,
    ],
  ] as const)('of %s are there before the answer leaves', async (_name, overrides, status) => {
    const { api, log } = start(overrides);
    let loggedBefore: unknown;
    const observed: typeof api = (req, res) => {
      const end = res.end.bind(res);
      res.end = (...args: unknown[]) => {
        loggedBefore = log();
        return Reflect.apply(end, res, args) as typeof res;
      };
      api(req, res);
    };
    await get(observed).expect(status);
    expect(loggedBefore).toEqual([expect.objectContaining({ status, requestId: 'request-1' })]);
    expect(log()).toHaveLength(1);
  });

  it('say who got what, and no secret', async () => {
    const { api, lines, log, metrics } = start();
    await get(api).set('Cookie', 'hadoop.auth=hunter2').expect(200);
    expect(log()).toEqual([
      {
        level: 'info',
        time: '2026-01-01T00:00:00.000Z',
        message: 'Request handled',
        method: 'GET',
        route: '/v1/credentials',
        status: 200,
        durationMs: 0,
        requestId: 'request-1',
        outcome: 'issued',
        sourceAddress: '10.1.2.3',
        pod: PROVEN,
        user: 'alice',
        cluster: 'default',
        kinds: ['HDFS_DELEGATION_TOKEN'],
        sequenceNumbers: [-7],
        missing: [{ kind: 'kms-dt', code: 'unreachable' }],
      },
    ]);
    const all = lines.join('') + (await metrics.registry.metrics());
    for (const secret of [BEARER, 'hunter2', FILE.toString('base64'), PASSWORD.toString(), 'identifier']) {
      expect(all).not.toContain(secret);
    }
  });

  it('count by bounded labels only', async () => {
    const { api, metrics } = start();
    await get(api).expect(200);
    await get(api, '/some/path/of/a/scanner').expect(404);
    const text = await metrics.registry.metrics();
    expect(text).toContain(
      'kerbridge_http_requests_total{route="/v1/credentials",method="GET",status="200"} 1',
    );
    expect(text).toContain('kerbridge_authentications_total{outcome="authenticated",reason=""} 1');
    expect(text).toContain('kerbridge_identifications_total{outcome="identified",reason=""} 1');
    expect(text).toContain('kerbridge_credentials_total{outcome="issued"} 1');
    expect(text).not.toMatch(/scanner|alice|team-a/);
  });
});
