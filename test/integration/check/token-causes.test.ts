import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { hdfsControl, type HdfsControl } from '../../stack/stack.ts';
import { CheckWorld } from './check-world.ts';

const DAY_MS = 86_400_000;

/** One test a cause, with a real token of the stack's NameNode: what is found, and which words of the fix. */
describe('kerbridge check, a token', () => {
  let world: CheckWorld;
  let control: HdfsControl;

  beforeAll(async () => {
    world = await CheckWorld.create();
    control = hdfsControl(world.stack.hdfs);
  });

  afterEach(async () => {
    await control.reset();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const nameservice = (): string => world.stack.hdfs.nameNodes[0]?.rpcAddress ?? '';

  it('names the missing hadoop.proxyuser.*.users', async () => {
    await control.refreshProxyUsers({ users: 'bob' });
    const { exitCode, of } = await world.check({}, '--user', 'alice');
    expect(of(`proxy-user:stack/${nameservice()}`)).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('User: kerbridge is not allowed to impersonate alice'),
      fix: expect.stringMatching(
        /hadoop\.proxyuser\.kerbridge\.users name alice, or hadoop\.proxyuser\.kerbridge\.groups .*-refreshSuperUserGroupsConfiguration/,
      ),
    });
    expect(exitCode).toBe(1);
  });

  it('names the missing hadoop.proxyuser.*.hosts, and the address that the NameNode sees', async () => {
    await control.refreshProxyUsers({ hosts: '192.0.2.1' });
    const { exitCode, of } = await world.check({}, '--user', 'alice');
    const { fix, ...finding } = of(`proxy-user:stack/${nameservice()}`);
    expect(finding).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('Unauthorized connection for super-user: kerbridge'),
    });
    expect(fix).toMatch(/hadoop\.proxyuser\.kerbridge\.hosts contain 127\.0\.0\.1/);
    expect(fix).not.toMatch(/\.users|\.groups/);
    expect(exitCode).toBe(1);
  });

  it('names both for a principal that is no proxy user at all', async () => {
    const { of } = await world.check({ keytab: world.stack.keytabs.mallory }, '--user', 'alice');
    expect(of(`proxy-user:stack/${nameservice()}`)).toMatchObject({
      outcome: 'failed',
      fix: expect.stringMatching(
        /hadoop\.proxyuser\.mallory\.users name alice.*hadoop\.proxyuser\.mallory\.hosts contain the address of this host/,
      ),
    });
  });

  it('asks for nobody who is on the deny list', async () => {
    const before = await control.tokens();
    const { exitCode, of } = await world.check({}, '--user', 'hdfs');
    expect(of('user')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('on the deny list (hdfs)'),
      fix: expect.stringContaining('Name a person'),
    });
    expect(of(`proxy-user:stack/${nameservice()}`).outcome).toBe('skipped');
    expect(await control.tokens()).toHaveLength(before.length);
    expect(exitCode).toBe(1);
  });

  it.each([
    [
      { renewIntervalMs: 60_000 },
      'maximum lifetime 7 d, renew interval 60 s',
      'renew-interval to at least ten minutes',
    ],
    [
      { maxLifetimeMs: DAY_MS / 2, renewIntervalMs: 3_600_000 },
      'maximum lifetime 12 h, renew interval 1 h',
      'max-lifetime to 604800000',
    ],
    [
      { renewIntervalMs: 8 * DAY_MS },
      'maximum lifetime 7 d, renew interval not shorter than that',
      'renew-interval (86400000',
    ],
  ])('warns of the lifetimes %j', async (lifetimes, detail, fix) => {
    await control.setTokenLifetimes(lifetimes);
    const { of, exitCode } = await world.check({}, '--user', 'alice');
    const found = of(`lifetimes:stack/${nameservice()}`);
    expect(found.outcome).toBe('warning');
    expect(found.detail.replace('1 min', '60 s')).toBe(detail);
    expect(found.fix).toContain(fix);
    expect(exitCode).toBe(0);
  });
});
