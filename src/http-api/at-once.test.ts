import { describe, expect, it } from '@jest/globals';
import { get, issued, pod, startApi } from '../../test/fakes/api-world.ts';
import {
  AUTHENTICATION_REFUSALS,
  COULD_NOT_AUTHENTICATE,
  COULD_NOT_IDENTIFY,
  IDENTITY_REFUSALS,
} from '../../test/fixtures/outcomes.ts';
import type { AuthenticationResult } from '../authentication/authentication-result.ts';
import type { CredentialsResult } from '../delegation-tokens/credentials.ts';
import type { IdentityResult } from '../identity/identity-result.ts';
import { AuditUnavailableError } from '../observability/audit-stream.ts';
import type { ApiOptions } from './create-api.ts';

interface Scenario {
  readonly authentication?: AuthenticationResult;
  readonly identity?: IdentityResult;
  readonly credentials?: CredentialsResult;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly overrides?: Partial<ApiOptions>;
}

const AUTHENTICATED: AuthenticationResult = { outcome: 'authenticated', pod };
const ALICE: IdentityResult = { outcome: 'identified', stampedUser: 'alice', user: 'alice' };

/** Made here, as each stack is another. */
const UNWRITABLE = new AuditUnavailableError('failed');
const FAULT = new Error('oops');

/** All that anybody gets to see of one request. */
async function observe(scenario: Scenario, isAtOnce: boolean) {
  const { authentication = AUTHENTICATED, identity = ALICE, credentials = issued } = scenario;
  const asked: object[] = [];
  const give = <T>(value: T): T | Promise<T> => (isAtOnce ? value : Promise.resolve(value));
  const { api, audit, log, metrics } = startApi({
    authenticatePod: (caller) => {
      asked.push(caller);
      return give(authentication);
    },
    identifyUser: () => identity,
    getCredentials: (request) => {
      asked.push(request);
      return give(credentials);
    },
    ...scenario.overrides,
  });
  const { status, headers, text, body } = await get(api, scenario.path).set(scenario.headers ?? {});
  const { date: _date, ...lasting } = headers as Record<string, string>;
  return {
    status,
    headers: lasting,
    body: text === undefined ? (body as unknown) : text,
    audit,
    log: log(),
    asked,
    metrics: await metrics.registry.metrics(),
  };
}

describe('a request that is decided upon at once', () => {
  const scenarios: [string, Scenario][] = [
    ['credentials', {}],
    ['the file', { headers: { Accept: 'application/octet-stream' } }],
    ['a format, a kind and doAs', { path: '/v1/credentials?format=protobuf&kind=a&doAs=alice' }],
    ['a 304', { headers: { 'If-None-Match': '*' } }],
    ['a query that is malformed', { path: '/v1/credentials?color=1' }],
    ['a type that is not there', { headers: { Accept: 'text/html' } }],
    ['no cluster of that name', { credentials: { outcome: 'unknown-cluster', name: 'x' } }],
    ['nothing issued', { credentials: { ...issued, tokens: [] } }],
    [
      'the limit of a namespace',
      { authentication: { outcome: 'limited', limit: 'namespace', namespace: 'team-a' } },
    ],
    ['the limit of all', { authentication: { outcome: 'limited', limit: 'authentications' } }],
    [
      'an audit that cannot be written',
      {
        overrides: {
          writeAudit: async () => {
            throw UNWRITABLE;
          },
        },
      },
    ],
    [
      'a fault in telling who it is',
      {
        overrides: {
          identifyUser: () => {
            throw FAULT;
          },
        },
      },
    ],
    ...AUTHENTICATION_REFUSALS.map((reason): [string, Scenario] => [
      reason,
      { authentication: { outcome: 'refused', reason, detail: 'd' } },
    ]),
    ...COULD_NOT_AUTHENTICATE.map(([dependency]): [string, Scenario] => [
      `no word of ${dependency}`,
      { authentication: { outcome: 'could-not-check', dependency, cause: 'down' } },
    ]),
    ...IDENTITY_REFUSALS.map((reason): [string, Scenario] => [
      reason,
      { identity: { outcome: 'refused', reason, detail: 'd' } },
    ]),
    ...COULD_NOT_IDENTIFY.map((dependency): [string, Scenario] => [
      `no word of ${dependency}`,
      { identity: { outcome: 'could-not-check', dependency } },
    ]),
  ];

  it.each(scenarios)('(%s) ends as one for which somebody was asked', async (_name, scenario) => {
    const etag = (seen: Awaited<ReturnType<typeof observe>>) => seen.headers['etag'];
    const [now, later] = [await observe(scenario, true), await observe(scenario, false)];
    expect(etag(now) === undefined).toBe(etag(later) === undefined);
    const comparable = (seen: typeof now) => ({
      ...seen,
      headers: { ...seen.headers, etag: 'each process has its own' },
    });
    expect(comparable(now)).toEqual(comparable(later));
    expect(now.log).toHaveLength(1);
  });

  it('asks once more after the audit who it is [identified-after-audit]', async () => {
    const revoked: IdentityResult = { outcome: 'refused', reason: 'user-revoked' };
    const answers = [ALICE];
    const { status, audit } = await observe(
      { overrides: { identifyUser: () => answers.shift() ?? revoked } },
      true,
    );
    expect(status).toBe(403);
    expect(audit.map(({ decision }) => decision)).toEqual(['allowed', 'refused']);
  });

  it('holds no place once it is answered', async () => {
    const limits: unknown[] = [];
    const { api } = startApi({
      requestsPerNamespace: 1,
      authenticatePod: (_caller, { admitPod } = {}) => {
        limits.push(admitPod?.({ namespace: 'team-a', uid: pod.uid }));
        return AUTHENTICATED;
      },
      getCredentials: () => issued,
    });
    for (let request = 0; request < 20; request += 1) await get(api).expect(200);
    expect(new Set(limits)).toEqual(new Set([undefined]));
  });
});
