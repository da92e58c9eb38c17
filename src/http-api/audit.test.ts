import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
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
  startApi,
} from '../../test/fakes/api-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { formatAuditLine } from '../observability/audit-record.ts';
import { AuditUnavailableError } from '../observability/audit-stream.ts';
import type {
  AuthenticateOptions,
  AuthenticatePod,
  PodLimit,
} from '../authentication/authentication-result.ts';
import type { ApiOptions } from './create-api.ts';

const CLAIMED = { namespace: 'team-a', uid: pod.uid };

const unwritable: ApiOptions['writeAudit'] = async () => {
  throw new AuditUnavailableError('failed', 'ENOSPC');
};

/** A caller over a real connection, who goes away when told to. */
async function withCaller(
  { api }: ReturnType<typeof startApi>,
  during: (leave: () => void) => Promise<void>,
): Promise<void> {
  const server = createServer(api).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sent = httpRequest({ port, host: '127.0.0.1', path: '/v1/credentials' });
    sent.on('error', () => undefined).end();
    await during(() => sent.destroy());
  } finally {
    server.close();
  }
}

describe('a decision that cannot be recorded', () => {
  it.each<[string, Partial<ApiOptions>, string]>([
    ['allowed', {}, '/v1/credentials'],
    [
      'refused',
      { authenticatePod: authenticationResult({ outcome: 'refused', reason: 'pod-deleted' }) },
      '/v1/credentials',
    ],
    [
      'refused to be that user',
      { identifyUser: identityResult({ outcome: 'refused', reason: 'user-denied' }) },
      '/v1/credentials',
    ],
    [
      'limited',
      {
        authenticatePod: authenticationResult({
          outcome: 'limited',
          limit: 'namespace',
          namespace: 'team-a',
        }),
      },
      '/v1/credentials',
    ],
    ['failed', { getCredentials: failing(new Error('x')) }, '/v1/credentials'],
    ['malformed', {}, '/v1/credentials?color=1'],
  ])('%s is a 503 without credentials [audit-written]', async (_name, overrides, path) => {
    const { api, log } = startApi({ ...overrides, writeAudit: unwritable });
    const response = await get(api, path).expect(503);
    expect(response.body).toEqual({
      title: 'The decision cannot be recorded now',
      status: 503,
      code: 'audit-unavailable',
      requestId: 'request-1',
    });
    expect(response.headers['retry-after']).toBe('6');
    expect(response.headers['etag']).toBeUndefined();
    expect(response.headers['www-authenticate']).toBeUndefined();
    expect(log()).toEqual([
      expect.objectContaining({ level: 'warn', status: 503, outcome: 'audit-unavailable' }),
    ]);
  });

  it('says in the log why', async () => {
    const { api, log } = startApi({ writeAudit: unwritable });
    await get(api);
    expect(log()).toMatchObject([
      { error: { name: 'AuditUnavailableError', message: 'the audit line is not written: failed (ENOSPC)' } },
    ]);
  });

  it('is a 503 also for who has the credentials already [audit-written]', async () => {
    let failingNow = false;
    const { api } = startApi({
      writeAudit: async (entry) => {
        if (failingNow) await unwritable(entry);
      },
    });
    const { headers } = await get(api).expect(200);
    failingNow = true;
    await get(api)
      .set('If-None-Match', headers['etag'] ?? '')
      .expect(503);
  });
});

describe('the audit line', () => {
  it.each<[string, Partial<ApiOptions>]>([
    ['credentials', {}],
    ['a refusal', { authenticatePod: authenticationResult({ outcome: 'refused', reason: 'pod-deleted' }) }],
    ['a fault', { getCredentials: failing(new Error('x')) }],
  ])('of %s is written before a byte of the answer', async (_name, overrides) => {
    const asked = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    const world = startApi({
      ...overrides,
      writeAudit: () => {
        asked.resolve();
        return written.promise;
      },
    });
    let answered = false;
    const answer = get(world.api).then((response) => {
      answered = true;
      return response;
    });
    await asked.promise;
    await settle();
    expect(answered).toBe(false);
    expect(world.log()).toEqual([]);
    written.resolve();
    await answer;
    expect(world.log()).toHaveLength(1);
  });

  it('says who got what', async () => {
    const { api, audit } = startApi();
    await get(api, '/v1/credentials?doAs=alice').expect(200);
    expect(audit).toEqual([
      {
        decision: 'allowed',
        requestId: 'request-1',
        route: '/v1/credentials',
        method: 'GET',
        status: 200,
        code: 'ok',
        sourceAddress: '10.1.2.3',
        pod: PROVEN,
        user: 'alice',
        doAs: 'alice',
        cluster: 'default',
        kinds: ['HDFS_DELEGATION_TOKEN'],
        sequenceNumbers: [-7],
      },
    ]);
  });

  it('says who asked for the pod, where its stamp does', async () => {
    const requester = 'system:serviceaccount:kube-system:job-controller';
    const { api, audit } = startApi({
      identifyUser: identityResult({ outcome: 'identified', stampedUser: 'alice', user: 'alice', requester }),
    });
    await get(api).expect(200);
    expect(audit).toMatchObject([{ decision: 'allowed', user: 'alice', requester }]);
  });

  it('says of each request what is its own, as the log does, though the pod is the same', async () => {
    const withNumber = (sequenceNumber: number) => ({
      ...issued,
      tokens: issued.tokens.map((held) => ({ ...held, token: { ...held.token, sequenceNumber } })),
    });
    const results = { first: withNumber(1), second: withNumber(2) };
    const first = {
      sourceAddress: '10.1.2.3',
      user: 'alice',
      requester: 'hub',
      doAs: undefined,
      result: 'first',
    } as const;
    // Each differs from the one before it in one way at most.
    const requests = [
      first,
      first,
      { ...first, sourceAddress: '10.1.2.4' },
      first,
      { ...first, user: 'bob' },
      first,
      { ...first, requester: 'spawner' },
      first,
      { ...first, doAs: 'alice' },
      first,
      { ...first, result: 'second' as const },
    ];
    let current: (typeof requests)[number] = first;
    const { api, audit, log } = startApi({
      sourceAddressOf: () => current.sourceAddress,
      identifyUser: () => ({
        outcome: 'identified',
        stampedUser: 'alice',
        user: current.user,
        requester: current.requester,
      }),
      getCredentials: () => results[current.result],
    });
    for (current of requests) {
      await get(api, `/v1/credentials${current.doAs === undefined ? '' : `?doAs=${current.doAs}`}`).expect(
        200,
      );
    }
    const expected = requests.map(({ result, ...own }) => ({
      ...own,
      pod: PROVEN,
      sequenceNumbers: [result === 'first' ? 1 : 2],
    }));
    const said = (lines: readonly Partial<(typeof audit)[number]>[]) =>
      lines.map(({ sourceAddress, user, requester, doAs, pod: ofPod, sequenceNumbers }) => ({
        sourceAddress,
        user,
        requester,
        doAs,
        pod: ofPod,
        sequenceNumbers,
      }));
    expect(said(audit)).toEqual(expected);
    expect(said(log())).toEqual(expected);
  });

  it('of a 304 says allowed too', async () => {
    const { api, audit } = startApi();
    const { headers } = await get(api).expect(200);
    await get(api)
      .set('If-None-Match', headers['etag'] ?? '')
      .expect(304);
    expect(audit).toHaveLength(2);
    expect(audit[1]).toMatchObject({
      decision: 'allowed',
      status: 304,
      code: 'not-modified',
      sequenceNumbers: [-7],
    });
  });

  it('has no address where none can be told', async () => {
    const { api, audit, seen, log } = startApi({ sourceAddressOf: () => undefined });
    await get(api).expect(200);
    expect(audit[0]?.sourceAddress).toBeUndefined();
    expect(seen.callers[0]?.sourceAddress).toBeUndefined();
    expect(log()[0]).not.toHaveProperty('sourceAddress');
  });

  it('holds nothing of a secret, in no form', async () => {
    const { api, audit } = startApi();
    await get(api).set('Cookie', 'hadoop.auth=hunter2').expect(200);
    await get(api, `/v1/credentials?doAs=${BEARER}`).expect(200);
    await get(api, `/v1/credentials?cluster=Bearer+${BEARER}&x=1`);
    const lines = audit
      .map((entry) => formatAuditLine({ ...entry, audit: 1, time: '', replica: 'r' }))
      .join('');
    expect(audit).toHaveLength(3);
    for (const secret of [BEARER, 'hunter2', FILE, PASSWORD, 'identifier']) {
      const bytes = Buffer.from(secret);
      for (const form of ['latin1', 'base64', 'base64url', 'hex'] as const) {
        expect(lines).not.toContain(bytes.toString(form));
      }
    }
  });

  it('of callers beyond the limit of all is one for many, after the answer', async () => {
    const { api, audit, log } = startApi({ authenticatePod: checked, maxAuthentications: 0 });
    const response = await get(api).expect(503);
    expect(response.body).toMatchObject({ code: 'overloaded' });
    expect(response.headers['retry-after']).toBeDefined();
    expect(audit).toEqual([]);
    expect(log()).toEqual([expect.objectContaining({ message: 'Requests refused unread' })]);
  });

  it('of callers who are known from memory is there whatever the limit of all is', async () => {
    const { api, audit } = startApi({ maxAuthentications: 0 });
    await get(api).expect(200);
    expect(audit).toHaveLength(1);
  });

  it('is one for each of those whose pod is proven, however many are still being checked', async () => {
    const all = Promise.withResolvers<void>();
    let proven = 0;
    const { api, audit } = startApi({
      maxAuthentications: 1,
      authenticatePod: async (_caller, { admitCheck, admitPod } = {}) => {
        if (admitCheck?.() === false) {
          // Or the others would wait for ever.
          all.resolve();
          return { outcome: 'limited', limit: 'authentications' };
        }
        await Promise.resolve();
        admitPod?.({ namespace: pod.namespace, uid: `${pod.uid}-${proven}` });
        proven += 1;
        if (proven === 3) all.resolve();
        await all.promise;
        return { outcome: 'authenticated', pod };
      },
    });
    await Promise.all(Array.from({ length: 3 }, () => get(api).expect(200)));
    expect(audit).toHaveLength(3);
  });

  it('is one for each again when the caller before has been checked', async () => {
    const { api } = startApi({ authenticatePod: checked, maxAuthentications: 1 });
    await get(api).expect(200);
    await get(api).expect(200);
  });
});

/** As `authenticatePod` does with a caller who is not known from memory; it may ask twice. */
const checked: AuthenticatePod = (_caller, { admitCheck } = {}) => {
  const admitted = [admitCheck?.(), admitCheck?.()];
  return Promise.resolve(
    admitted.includes(true)
      ? { outcome: 'authenticated', pod }
      : { outcome: 'limited', limit: 'authentications' },
  );
};

describe('a caller who goes away', () => {
  it('ends nothing that was begun for them: else their places would be free and the work still there', async () => {
    const signals: unknown[] = [];
    const { api } = startApi({
      authenticatePod: (_caller, { signal } = {}) => {
        signals.push(signal);
        return Promise.resolve({ outcome: 'authenticated', pod });
      },
      getCredentials: (_asked, options) => {
        signals.push(options?.signal);
        return Promise.resolve(issued);
      },
    });
    await get(api).expect(200);
    expect(signals).toEqual([undefined, undefined]);
  });

  it('before the answer has the audit line of what was decided all the same', async () => {
    const asked = Promise.withResolvers<void>();
    const decided = Promise.withResolvers<typeof issued>();
    const world = startApi({
      getCredentials: () => {
        asked.resolve();
        return decided.promise;
      },
    });
    await withCaller(world, async (leave) => {
      await asked.promise;
      leave();
      while (world.log().length === 0) await settle();
      decided.resolve(issued);
      while (world.audit.length === 0) await settle();
      await settle();
    });
    expect(world.audit).toMatchObject([{ decision: 'allowed', status: 200, user: 'alice' }]);
    expect(world.log()).toMatchObject([{ status: 'aborted' }]);
  });
});

describe('the limit of a namespace', () => {
  /** Admits as the authenticator does, then waits to be told how to end. */
  function admitting(namespace = 'team-a') {
    const waiting: (() => void)[] = [];
    let uids = 0;
    const authenticatePod: AuthenticatePod = async (_caller, { admitPod } = {}) => {
      uids += 1;
      const limit = admitPod?.({ namespace, uid: `pod-${uids}` });
      if (limit !== undefined) return { outcome: 'limited', limit, namespace };
      // Who should not have been admitted is not kept waiting: the test would never hear of it.
      if (waiting.length >= 2) return { outcome: 'authenticated', pod };
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
      return { outcome: 'authenticated', pod };
    };
    return { authenticatePod, waiting };
  }

  it('lets so many through at once and no more, and counts each namespace alone [keyed-limit]', async () => {
    const team = admitting();
    const other = admitting('team-b');
    let from: AuthenticatePod = team.authenticatePod;
    const { api } = startApi({ authenticatePod: (...asked) => from(...asked), requestsPerNamespace: 2 });
    const first = [get(api), get(api)].map(async (sent) => (await sent).status);
    while (team.waiting.length < 2) await settle();
    await get(api).expect(429);
    from = other.authenticatePod;
    const elsewhere = get(api).then(({ status }) => status);
    while (other.waiting.length < 1) await settle();
    for (const proceed of [...team.waiting, ...other.waiting]) proceed();
    expect(await Promise.all([...first, elsewhere])).toEqual([200, 200, 200]);
  });

  it.each<[string, Partial<ApiOptions>, number]>([
    ['credentials', {}, 200],
    ['a refusal', { identifyUser: identityResult({ outcome: 'refused', reason: 'no-stamp' }) }, 403],
    ['a fault', { getCredentials: failing(new Error('x')) }, 500],
    ['an audit that fails [audit-written]', { writeAudit: unwritable }, 503],
  ])('is free again after %s', async (_name, overrides, status) => {
    const admitted: (PodLimit | undefined)[] = [];
    const { api } = startApi({
      ...overrides,
      requestsPerNamespace: 1,
      authenticatePod: (_caller, { admitPod } = {}) => {
        admitted.push(admitPod?.(CLAIMED));
        return Promise.resolve({ outcome: 'authenticated', pod });
      },
    });
    for (let request = 0; request < 3; request += 1) await get(api).expect(status);
    expect(admitted).toEqual([undefined, undefined, undefined]);
  });

  it('is free again after an authenticator that throws', async () => {
    const admitted: (PodLimit | undefined)[] = [];
    const { api } = startApi({
      requestsPerNamespace: 1,
      authenticatePod: async (_caller, { admitPod } = {}) => {
        admitted.push(admitPod?.(CLAIMED));
        throw new Error('x');
      },
    });
    for (let request = 0; request < 3; request += 1) await get(api).expect(500);
    expect(admitted).toEqual([undefined, undefined, undefined]);
  });

  it('is free again after a caller who went away, and not before the work for them has ended [keyed-limit]', async () => {
    const admitted: (PodLimit | undefined)[] = [];
    const asked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<typeof issued>();
    const world = startApi({
      requestsPerNamespace: 1,
      authenticatePod: (_caller, { admitPod } = {}) => {
        const limit = admitPod?.(CLAIMED);
        admitted.push(limit);
        return Promise.resolve(
          limit === undefined
            ? { outcome: 'authenticated', pod }
            : { outcome: 'limited', limit, namespace: 'team-a' },
        );
      },
      getCredentials: () => {
        asked.resolve();
        // Who should not have been admitted is not kept waiting: the test would never hear of it.
        return admitted.length === 1 ? goOn.promise : Promise.resolve(issued);
      },
    });
    await withCaller(world, async (leave) => {
      await asked.promise;
      leave();
      while (world.log().length === 0) await settle();
      await get(world.api).expect(429);
      goOn.resolve(issued);
      while (world.audit.length < 2) await settle();
      await settle();
    });
    await get(world.api).expect(200);
    expect(admitted).toEqual([undefined, 'namespace', undefined]);
  });

  it('admits nobody for a request that is over, and gives back once', async () => {
    let late: AuthenticateOptions['admitPod'];
    const { api } = startApi({
      requestsPerNamespace: 1,
      authenticatePod: (_caller, { admitPod } = {}) => {
        late = admitPod;
        return Promise.resolve({ outcome: 'refused', reason: 'pod-not-found' });
      },
    });
    await get(api).expect(401);
    expect(late?.(CLAIMED)).toBe('pod');
  });
});
