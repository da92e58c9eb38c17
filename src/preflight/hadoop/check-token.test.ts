import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeTokenService, type FakeTokenServiceOptions } from '../../../test/fakes/fake-token-service.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { proxyUserFix } from '../../hadoop/proxy-user-fix.ts';
import { type Check, CheckRun, CheckTimeoutError } from '../check.ts';
import type { Finding } from '../finding.ts';
import { checkToken, tokenGraceMs, tokenMayBeLeft } from './check-token.ts';

let clock: FakeClock;
let service: FakeTokenService;

const open = (options: Partial<FakeTokenServiceOptions> = {}): void => {
  service = new FakeTokenService({ clock, ...options });
};

beforeEach(() => {
  clock = new FakeClock();
  open();
});

const check = (change: { renewer?: string } = {}, signal = new AbortController().signal) =>
  checkToken(
    {
      cluster: 'main',
      nameservice: 'ns',
      tokenService: service,
      user: 'alice',
      renewer: 'kerbridge',
      proxyUser: 'kerbridge',
      clock,
      ...change,
    },
    signal,
  );

const denied = (message: string): TokenServiceError => {
  const fix = proxyUserFix(message);
  return new TokenServiceError('denied', message, fix === undefined ? {} : { fix });
};

const short = (found: Awaited<ReturnType<typeof check>>) =>
  found.map(({ id, outcome }) => `${id} ${outcome}`);

describe('checkToken', () => {
  it('has a token issued, renewed and cancelled', async () => {
    const found = await check();
    expect(short(found)).toEqual([
      'proxy-user:main/ns ok',
      'renewal:main/ns ok',
      'lifetimes:main/ns ok',
      'cancel:main/ns ok',
    ]);
    expect(found[0]?.detail).toBe(
      'issued and verified: HDFS_DELEGATION_TOKEN, owner alice, renewer kerbridge, sequence number 1',
    );
    expect(found[2]?.detail).toBe('maximum lifetime 7 d, renew interval 1 d');
    expect(service.calls).toEqual(['issue alice', 'renew 1', 'cancel 1']);
    expect(service.liveTokens).toEqual([]);
  });

  it('names the property for whom we may speak, and that of the hosts, which comes after it', async () => {
    service.failNext('issue', denied('User: kerbridge is not allowed to impersonate alice'));
    const [finding, ...others] = await check();
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ id: 'proxy-user:main/ns', outcome: 'failed' });
    expect(finding?.fix).toMatch(
      /proxyuser\.kerbridge\.users name alice.*proxyuser\.kerbridge\.hosts contain the address of this host/,
    );
  });

  it('names the property of the hosts alone', async () => {
    service.failNext('issue', denied('Unauthorized connection for super-user: kerbridge from IP /10.0.0.9'));
    const [finding] = await check();
    expect(finding?.fix).toMatch(
      /^On every NameNode let hadoop\.proxyuser\.kerbridge\.hosts contain 10\.0\.0\.9/,
    );
    expect(finding?.fix).not.toMatch(/\.users/);
  });

  it('says when a token may have been issued that nobody has', async () => {
    service.failNext('issue', new TokenServiceError('unreachable', 'broke off', { mayHaveActed: true }));
    const [finding] = await check();
    expect(finding?.detail).toMatch(/^broke off; it may have been issued all the same/);
    service.failNext('issue', new TokenServiceError('unreachable', 'refused'));
    expect((await check())[0]?.detail).toBe('refused');
  });

  it('shows no token that is another one than was asked for, and cancels it', async () => {
    service.alterIssued = (token) => ({ ...token, owner: 'bob' });
    const found = await check();
    expect(found[0]).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('owner is "bob", not "alice"'),
    });
    expect(service.liveTokens).toEqual([]);
  });

  it('names the renewer where the renewal is denied, and cancels all the same', async () => {
    const found = await check({ renewer: 'somebody' });
    expect(short(found)).toEqual([
      'proxy-user:main/ns ok',
      'renewal:main/ns failed',
      'lifetimes:main/ns skipped',
      'cancel:main/ns ok',
    ]);
    expect(found[1]?.fix).toMatch(/auth_to_local.*set renewer of this cluster.*it is somebody now/);
    expect(service.liveTokens).toEqual([]);
  });

  it('cancels also when something unforeseen goes wrong', async () => {
    service.failNext('renew', new TypeError('a bug'));
    await expect(check()).rejects.toThrow(TypeError);
    expect(service.calls).toEqual(['issue alice', 'renew 1', 'cancel 1']);
    expect(service.liveTokens).toEqual([]);
  });

  it('cancels when its time is up while the token is issued', async () => {
    const over = new AbortController();
    const issue = service.issue.bind(service);
    service.issue = async (request) => {
      over.abort(new CheckTimeoutError(1000));
      return issue(request);
    };
    expect(short(await check({}, over.signal))).toEqual(['renewal:main/ns failed', 'cancel:main/ns ok']);
    expect(service.liveTokens).toEqual([]);
  });

  it('cancels when its time is up while the token is renewed', async () => {
    const over = new AbortController();
    service.renew = async () => {
      over.abort(new CheckTimeoutError(1000));
      throw over.signal.reason;
    };
    expect(short(await check({}, over.signal))).toEqual(['renewal:main/ns failed', 'cancel:main/ns ok']);
    expect(service.liveTokens).toEqual([]);
  });

  it('says so when the run was ended, and cancels', async () => {
    const over = new AbortController();
    const issue = service.issue.bind(service);
    service.issue = async (request) => {
      over.abort(new Error('asked to end'));
      return issue(request);
    };
    expect(await check({}, over.signal)).toMatchObject([
      { id: 'renewal:main/ns', outcome: 'skipped', detail: 'the run was ended' },
      { id: 'cancel:main/ns', outcome: 'ok' },
    ]);
    expect(service.liveTokens).toEqual([]);
  });

  describe('with a NameNode that is slow to answer', () => {
    const CALL_TIMEOUT_MS = 20_000;

    /** As `kerbridge check` runs it. */
    const runSlowly = (asked?: AbortController) => {
      const tokenCheck: Check = {
        id: 'token',
        title: 'A token of alice',
        graceMs: tokenGraceMs(CALL_TIMEOUT_MS),
        mayLeave: tokenMayBeLeft('alice'),
        run: (signal) => check({}, signal),
      };
      const run = new CheckRun({
        clock,
        timeoutMs: 1000,
        ...(asked === undefined ? {} : { signal: asked.signal }),
      });
      return (async () => {
        const found: Finding[] = [];
        for await (const finding of run.run([tokenCheck])) found.push(finding);
        return found;
      })();
    };

    it.each([
      ['the time is up', 'failed', undefined],
      ['the run is ended', 'skipped', new AbortController()],
    ])('cancels a token that comes late, and says so, when %s', async (_, outcome, asked) => {
      const issue = service.issue.bind(service);
      service.issue = async (request) => {
        await clock.sleep(7_000);
        return issue(request);
      };
      const cancel = service.cancel.bind(service);
      service.cancel = async (token) => {
        await clock.sleep(3_000);
        return cancel(token);
      };
      const found = runSlowly(asked);
      await settle();
      asked?.abort(new Error('asked to end'));
      await clock.advance(CALL_TIMEOUT_MS);
      expect(short(await found)).toEqual([`renewal:main/ns ${outcome}`, 'cancel:main/ns ok']);
      expect(service.liveTokens).toEqual([]);
    });

    it.each([
      ['the time is up', undefined],
      ['the run is ended', new AbortController()],
    ])('says that a token may be left when no answer comes and %s', async (_, asked) => {
      service.hang('issue');
      const found = runSlowly(asked);
      await settle();
      asked?.abort(new Error('asked to end'));
      await clock.advance(1000 + tokenGraceMs(CALL_TIMEOUT_MS));
      expect(await found).toMatchObject([
        {
          id: 'token',
          outcome: 'failed',
          detail: expect.stringContaining('a token of alice that was asked for may have been issued'),
          fix: expect.stringContaining('renew interval'),
        },
      ]);
      service.resume();
      await settle();
    });
  });

  it.each([
    ['fails', () => service.failNext('cancel', new TokenServiceError('unreachable', 'gone'))],
    ['hangs', () => service.hang('cancel')],
  ])('says that the token is still valid when cancelling %s', async (_, prepare) => {
    prepare();
    const found = check();
    await settle();
    await clock.advance(5_000);
    expect((await found).at(-1)).toMatchObject({
      id: 'cancel:main/ns',
      outcome: 'warning',
      detail: expect.stringContaining('token 1 is still valid'),
      fix: expect.stringContaining('ends by itself'),
    });
    expect(clock.sleeping).toBe(0);
  });

  it('reads the interval by the clock of the server', async () => {
    const ahead = 3_600_000n;
    service.alterIssued = (token) => ({
      ...token,
      issueDate: token.issueDate + ahead,
      maxDate: token.maxDate + ahead,
    });
    const renew = service.renew.bind(service);
    service.renew = async (token) => ({ expiresAt: (await renew(token)).expiresAt + ahead });
    const found = await check();
    expect(found[2]?.detail).toBe('maximum lifetime 7 d, renew interval 1 d');
  });

  it('knows an interval that is no shorter than the life', async () => {
    open({ renewIntervalMs: 8 * 86_400_000 });
    expect((await check())[2]).toMatchObject({ id: 'lifetimes:main/ns', outcome: 'warning' });
  });
});
