import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import {
  AUTHENTICATION_REFUSALS,
  COULD_NOT_AUTHENTICATE,
  COULD_NOT_IDENTIFY,
  IDENTITY_REFUSALS,
  TOKEN_SERVICE_FAILURES,
} from '../../test/fixtures/outcomes.ts';
import { TokenLimitError } from '../delegation-tokens/token-limits.ts';
import { TokenServiceError } from '../delegation-tokens/token-service.ts';
import { TokenStoreError } from '../delegation-tokens/token-store.ts';
import {
  auditUnavailableProblem,
  authenticationProblem,
  couldNotAuthenticateProblem,
  couldNotIdentifyProblem,
  decisionOf,
  faultToProblem,
  hadoopUnavailableProblem,
  identityProblem,
  limitedProblem,
  nothingIssuedProblem,
  overloadedProblem,
  selectionProblem,
} from './outcome-to-status.ts';
import {
  expectationFailed,
  headersTooLarge,
  internalError,
  invalidRequest,
  methodNotAllowed,
  notAcceptable,
  notFound,
  type Problem,
  requestTimeout,
} from './problem.ts';

const half = () => 0.5;

const refusals = AUTHENTICATION_REFUSALS.map(authenticationProblem);
const identityRefusals = IDENTITY_REFUSALS.map(identityProblem);
const unchecked = [
  ...COULD_NOT_AUTHENTICATE.map(([dependency]) => couldNotAuthenticateProblem(dependency, half)),
  ...COULD_NOT_IDENTIFY.map((dependency) => couldNotIdentifyProblem(dependency, half)),
  overloadedProblem(half),
  nothingIssuedProblem(half),
  auditUnavailableProblem(half),
];
const failures = TOKEN_SERVICE_FAILURES.map(
  ([failure]) => faultToProblem(new TokenServiceError(failure, 'hunter2'), half).problem,
);
const ofTokens = [
  faultToProblem(new TokenStoreError('denied', 'hunter2'), half).problem,
  faultToProblem(new TokenLimitError('namespace', 7), half).problem,
  hadoopUnavailableProblem(half),
];
const unknown = (['unknown-cluster', 'unknown-kind'] as const).map((outcome) =>
  selectionProblem({ outcome, name: 'x' }),
);
const malformed = [
  invalidRequest('x'),
  methodNotAllowed('GET'),
  notAcceptable(['text/x']),
  requestTimeout,
  expectationFailed,
  headersTooLarge,
  notFound,
];
const everyProblem: readonly Problem[] = [
  ...refusals,
  ...identityRefusals,
  ...unchecked,
  ...failures,
  ...ofTokens,
  ...unknown,
  ...malformed,
  internalError,
  limitedProblem(half),
];

describe('the status table', () => {
  it('has one 401 for every reason', () => {
    expect(new Set(refusals).size).toBe(1);
    expect(refusals[0]).toMatchObject({ status: 401, code: 'not-authenticated' });
  });

  it('has one 403 for every reason', () => {
    expect(new Set(identityRefusals).size).toBe(1);
    expect(identityRefusals[0]).toMatchObject({ status: 403, code: 'not-allowed' });
  });

  it('has a 503 for all that could not be checked', () => {
    expect(unchecked.map(({ status }) => status)).toEqual(unchecked.map(() => 503));
  });

  it('never lets anything in, and says to come back with every 429 and 503 only', () => {
    for (const { status, headers } of everyProblem) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect([status, headers?.['Retry-After'] !== undefined]).toEqual([
        status,
        status === 503 || status === 429,
      ]);
    }
  });

  it.each<[string, (random: () => number) => Problem, string, string]>([
    ['a 503', overloadedProblem, '2', '10'],
    ['a 429', limitedProblem, '2', '10'],
    ['a pod without an address', (random) => couldNotAuthenticateProblem('pod-address', random), '1', '2'],
  ])('spreads Retry-After of %s', (_name, problem, least, most) => {
    expect(problem(() => 0).headers?.['Retry-After']).toBe(least);
    expect(problem(() => 0.999_999).headers?.['Retry-After']).toBe(most);
  });

  it('has one title for a code, but where the title names a field', () => {
    const titles = new Map<string, Set<string>>();
    for (const { code, title } of everyProblem) {
      if (code === 'invalid-request') continue;
      titles.set(code, (titles.get(code) ?? new Set()).add(title));
    }
    expect([...titles].filter(([, each]) => each.size !== 1)).toEqual([]);
    expect(JSON.stringify(everyProblem)).not.toContain('hunter2');
  });

  it('is the one in docs/http-api.md', async () => {
    const page = await readFile(new URL('../../docs/http-api.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (\d{3}(?:, \d{3})*) +\| ((?:`[\w-]+`(?:, )?)+) +\|/gm)];
    const documented = rows.flatMap(([, statuses = '', codes = '']) =>
      codes.split(', ').map((code, index) => {
        const each = statuses.split(', ');
        return `${each[index] ?? each[0]} ${code.replaceAll('`', '')}`;
      }),
    );
    const real = everyProblem.map(({ status, code }) => `${status} ${code}`);
    expect([...new Set(documented)].sort()).toEqual([...new Set(real)].sort());
  });
});

describe('a KDC that could not be asked', () => {
  it.each(['unreachable', 'authentication'] as const)('is no trouble of Hadoop: %s', (failure) => {
    const fault = faultToProblem(new TokenServiceError(failure, 'x', { dependency: 'kerberos' }), half);
    expect(fault).toMatchObject({
      problem: { status: 503, code: 'kerberos-unavailable' },
      outcome: failure,
      dependency: 'kerberos',
    });
  });

  it('is not what an unreachable NameNode is', () => {
    expect(faultToProblem(new TokenServiceError('unreachable', 'x'), half)).toMatchObject({
      problem: { code: 'hadoop-unavailable' },
      dependency: 'hadoop',
    });
  });
});

describe('the decision in the audit', () => {
  it.each([
    [200, 'allowed'],
    [304, 'allowed'],
    [400, 'malformed'],
    [401, 'refused'],
    [403, 'refused'],
    [404, 'malformed'],
    [405, 'malformed'],
    [406, 'malformed'],
    [429, 'limited'],
    [500, 'failed'],
    [502, 'failed'],
    [503, 'could-not-check'],
  ] as const)('of %i is %s', (status, decision) => {
    expect(decisionOf(status)).toBe(decision);
  });
});
