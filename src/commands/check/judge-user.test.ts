import { describe, expect, it } from '@jest/globals';
import { parseServeConfig } from '../../config/serve-config.ts';
import { judgeUser } from './judge-user.ts';

const identityOf = (identity: object) => {
  const parsed = parseServeConfig({ identity, clusters: [{ hadoopConf: '/c', keytab: '/k' }] });
  if (!parsed.ok) throw new Error('not right in itself');
  return parsed.config.identity;
};

const judge = (user: string, identity: object | undefined = {}) =>
  judgeUser({
    user,
    identity: identity === undefined ? undefined : identityOf(identity),
    ownShortNames: ['kerbridge'],
    serviceUsers: ['nn-service'],
    deniedByRules: (name) => (name === 'ceo' ? 'c*' : undefined),
  });

describe('judgeUser', () => {
  it('lets a person pass', () => {
    expect(judge('alice')).toMatchObject({ id: 'user', outcome: 'ok' });
  });

  it.each([
    ['hdfs', 'on the deny list (hdfs)'],
    ['HDFS', 'on the deny list (hdfs)'],
    ['kerbridge', 'on the deny list (kerbridge)'],
    ['nn-service', 'on the deny list (nn-service)'],
    ['ceo', 'on the deny list (c*)'],
    ['svc-a', 'on the deny list (svc-*)'],
    ['alice@EXAMPLE.COM', 'no user name that serve would take'],
    ['alice/admin', 'no user name that serve would take'],
    ['', 'no user name that serve would take'],
    ['-alice', 'no user name that serve would take'],
  ])('refuses %j', (user, detail) => {
    expect(judge(user, { denyUsers: ['svc-*'] })).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining(detail),
      fix: expect.stringContaining('Name a person with --user'),
    });
  });

  it('takes the pattern of the configuration, and Hadoop’s own where that is no good', () => {
    expect(judge('Alice', { userPattern: '[a-z]+' }).outcome).toBe('failed');
    expect(judge('Alice', { userPattern: '(a+)+' }).outcome).toBe('ok');
    expect(judge('x', { denyUsers: ['a@B', 'x'] }).outcome).toBe('failed');
  });

  it('goes on without the identity section', () => {
    const options = {
      identity: undefined,
      ownShortNames: [],
      serviceUsers: [],
      deniedByRules: () => undefined,
    };
    expect(judgeUser({ ...options, user: 'alice' }).outcome).toBe('ok');
    expect(judgeUser({ ...options, user: 'yarn' }).outcome).toBe('failed');
  });
});
