import request from 'supertest';
import type { AuthenticationResult, Caller } from '../../src/authentication/authentication-result.ts';
import type { CredentialsRequest, CredentialsResult } from '../../src/delegation-tokens/credentials.ts';
import { type ApiOptions, createApi } from '../../src/http-api/create-api.ts';
import { Refusals } from '../../src/http-api/refusals.ts';
import type { IdentityResult } from '../../src/identity/identity-result.ts';
import type { AuditEntry } from '../../src/observability/audit-record.ts';
import { createLogger } from '../../src/observability/logger.ts';
import type { RejectedReport } from '../../src/delegation-tokens/rejected-token.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { Secret } from '../../src/observability/secret.ts';
import { FakeClock } from './fake-clock.ts';

export const BEARER = 'eyJhbGciOiJSUzI1NiJ9.eyJzZWNyZXQiOnRydWV9.c2lnbmF0dXJl';
export const FILE = Buffer.from('HDTS\0\x01 the bytes of a credentials file \xff\xfe', 'latin1');
export const PASSWORD = Buffer.from('very secret password');

export const pod = {
  namespace: 'team-a',
  name: 'alices-pod',
  uid: '0b6f5a0e-0000-4000-8000-000000000001',
  serviceAccount: 'default',
  createdAt: 1_767_225_600_000,
  annotations: { 'iddecorator.username': 'alice' },
};

export const PROVEN = { namespace: 'team-a', name: 'alices-pod', uid: pod.uid, serviceAccount: 'default' };

export const issued: Extract<CredentialsResult, { outcome: 'issued' }> = {
  outcome: 'issued',
  cluster: 'default',
  tokens: [
    {
      source: {
        cluster: 'default',
        name: 'ns1',
        kind: 'HDFS_DELEGATION_TOKEN',
        renewer: 'kerbridge',
        services: ['ha-hdfs:ns1', '10.0.0.1:8020'],
        tokenService: {
          kind: 'HDFS_DELEGATION_TOKEN',
          issue: () => Promise.reject(new Error('not here')),
          renew: () => Promise.reject(new Error('not here')),
          cancel: () => Promise.reject(new Error('not here')),
        },
      },
      token: {
        kind: 'HDFS_DELEGATION_TOKEN',
        service: 'ha-hdfs:ns1',
        identifier: Buffer.from('identifier'),
        password: new Secret<Uint8Array>(PASSWORD),
        owner: 'alice',
        renewer: 'kerbridge',
        realUser: '',
        issueDate: 1_767_225_600_000n,
        maxDate: 9_223_372_036_854_775_807n,
        sequenceNumber: -7,
        masterKeyId: 2,
      },
      expiresAt: 1_767_312_000_000n,
    },
  ],
  missing: [{ kind: 'kms-dt', code: 'unreachable' }],
  refresh: { since: 1_767_225_600_000, periodMs: 24_400_000 },
};

interface Seen {
  callers: Caller[];
  doAs: (string | undefined)[];
  requests: CredentialsRequest[];
  reports: RejectedReport[];
}

/** The real API over fakes of all it asks, and what it saw, logged, audited and counted. */
export function startApi(overrides: Partial<ApiOptions> = {}) {
  const seen: Seen = { callers: [], doAs: [], requests: [], reports: [] };
  const audit: AuditEntry[] = [];
  const lines: string[] = [];
  const clock = new FakeClock();
  const metrics = createMetrics({ version: '0.0.0', processMetrics: false });
  const logger = createLogger({ level: 'debug', clock, destination: { write: (line) => lines.push(line) } });
  let ids = 0;
  const api = createApi({
    authenticatePod: (caller) => {
      seen.callers.push(caller);
      return Promise.resolve({ outcome: 'authenticated', pod });
    },
    identifyUser: (_pod, doAs) => {
      seen.doAs.push(doAs);
      return { outcome: 'identified', stampedUser: 'alice', user: 'alice' };
    },
    getCredentials: (asked) => {
      seen.requests.push(asked);
      return Promise.resolve(issued);
    },
    encodeCredentials: (_issued, format) => (format === 'writable' ? FILE : Buffer.from('protobuf')),
    logger,
    refusals: new Refusals({ metrics, logger, clock }),
    writeAudit: async (entry, common) => {
      audit.push({ ...entry, ...common?.fields });
      await Promise.resolve();
    },
    reportRejected: (report) => {
      seen.reports.push(report);
      return Promise.resolve('alive');
    },
    tokensRoute: () => Promise.resolve({ outcome: 'not-authenticated', reason: 'no-bearer-token' }),
    sourceAddressOf: () => '10.1.2.3',
    requestsPerNamespace: 2,
    metrics,
    clock,
    random: () => 0.5,
    newRequestId: () => {
      ids += 1;
      return `request-${ids}`;
    },
    ...overrides,
  });
  const log = () => lines.map((line): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>);
  return { api, seen, lines, log, metrics, audit };
}

export const get = (api: ReturnType<typeof createApi>, path = '/v1/credentials') =>
  request(api).get(path).set('Authorization', `Bearer ${BEARER}`);

export const authenticationResult =
  (result: AuthenticationResult): ApiOptions['authenticatePod'] =>
  () =>
    Promise.resolve(result);

export const identityResult =
  (result: IdentityResult): ApiOptions['identifyUser'] =>
  () =>
    result;

export const failing =
  (error: unknown): ApiOptions['getCredentials'] =>
  async () => {
    throw error;
  };
