import { describe, expect, it } from '@jest/globals';

import { readErrorTable } from '../../test/fixtures/hadoop-replies/error-row.ts';
import { classifyHadoopReply } from './classify-hadoop-reply.ts';
import type { HadoopReplyText } from './server-exception.ts';

const rows = await readErrorTable();

const reply = (fields: Partial<HadoopReplyText>): HadoopReplyText => ({
  status: 403,
  statusMessage: 'Forbidden',
  contentType: 'application/json',
  body: '',
  ...fields,
});

const remote = (exception: string, message: string | null, status = 403) =>
  classifyHadoopReply(
    reply({
      status,
      body: JSON.stringify({ RemoteException: { exception, javaClassName: `x.${exception}`, message } }),
    }),
  );

const page = (status: number, title: string) =>
  classifyHadoopReply(
    reply({
      status,
      contentType: 'text/html;charset=utf-8',
      body: `<html><title>Error ${status} ${title}</title></html>`,
    }),
  );

describe('the error table', () => {
  it('has a row for every situation once', () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(50);
  });

  it.each(rows)('$id: $situation', (row) => {
    const refusal = classifyHadoopReply({
      status: row.status,
      statusMessage: row.statusMessage,
      contentType: row.headers['content-type'] ?? '',
      body: row.body,
    });
    expect({ failure: refusal?.failure ?? null, exception: refusal?.exception ?? null }).toEqual(
      row.expected,
    );
    expect(refusal?.message).not.toBe('');
    // One line, nothing that could forge another.
    expect(refusal?.message ?? '').not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  });

  it.each(rows.filter(({ body }) => body.startsWith('<html')))(
    '$id: the same page in JSON, as Jetty writes it for a client that accepts that',
    (row) => {
      const message = /<title>Error \d+ ([^<]*)<\/title>/u.exec(row.body)?.[1] ?? '';
      const body = JSON.stringify({ servlet: 'x', message, url: '/webhdfs/v1/', status: String(row.status) });
      const refusal = classifyHadoopReply(reply({ ...row, contentType: 'application/json', body }));
      expect({ failure: refusal?.failure ?? null, exception: refusal?.exception ?? null }).toEqual(
        row.expected,
      );
    },
  );

  it.each(rows)('$id: does not depend on the order of the members', (row) => {
    if (!row.body.startsWith('{"RemoteException"')) return;
    const { exception, javaClassName, message } = (
      JSON.parse(row.body) as { RemoteException: Record<string, unknown> }
    ).RemoteException;
    const body = JSON.stringify({ RemoteException: { message, javaClassName, exception } });
    const refusal = classifyHadoopReply(reply({ ...row, contentType: 'application/json', body }));
    expect({ failure: refusal?.failure, exception: refusal?.exception }).toEqual(row.expected);
  });
});

describe('the fix', () => {
  const fixOf = (id: string) => {
    const row = rows.find((candidate) => candidate.id === id);
    if (row === undefined) throw new Error(id);
    return classifyHadoopReply({ ...row, contentType: row.headers['content-type'] ?? '' })?.fix;
  };

  it.each([
    [
      'impersonation-not-allowed',
      /hadoop\.proxyuser\.kerbridge\.users name mallory, or hadoop\.proxyuser\.kerbridge\.groups/u,
    ],
    ['impersonation-not-allowed', /hdfs dfsadmin -refreshSuperUserGroupsConfiguration/u],
    ['superuser-without-proxy-entry', /hadoop\.proxyuser\.hdfs\.users name alice/u],
    ['proxy-host-not-listed', /hadoop\.proxyuser\.kerbridge\.hosts contain 127\.0\.0\.1 /u],
    ['no-http-kerberos', /hadoop\.http\.authentication\.type=kerberos/u],
    ['server-keytab-stale', /keytab/u],
    ['clock-skew', /clocks/u],
    ['cookie-signature', /hadoop\.http\.authentication\.signature\.secret\.file/u],
    ['not-authenticated', /hadoop\.http\.authentication\.type/u],
    ['renew-wrong-renewer', /renewer.*auth_to_local/u],
    ['rm-wrong-renewer', /renewer.*auth_to_local/u],
    ['safe-mode', /hdfs dfsadmin -safemode get/u],
    ['safe-mode-retriable', /hdfs dfsadmin -safemode get/u],
    ['standby', /hdfs haadmin -getAllServiceState/u],
    ['router-safe-mode', /hdfs haadmin -getAllServiceState/u],
    ['proxy-forbidden', /proxy/u],
  ])('of %s is %s', (id, expected) => {
    expect(fixOf(id)).toMatch(expected);
  });

  it('names the short name of a principal', () => {
    const refusal = remote(
      'AuthorizationException',
      'User: svc/host@REALM is not allowed to impersonate bob',
    );
    expect(refusal?.fix).toContain('hadoop.proxyuser.svc.users name bob');
  });
});

describe('the remedy', () => {
  it.each([
    [page(403, 'GSSException: x (Mechanism level: Request is a replay (34))'), 'new-spnego-token'],
    [page(403, 'GSSException: x (Mechanism level: Checksum failed)'), 'new-tickets'],
    [page(403, 'GSSException: x (Mechanism level: Clock skew too great (37))'), undefined],
    [page(401, 'Authentication required'), undefined],
    [remote('AuthorizationException', 'Request is a replay'), undefined],
  ])('%# is %s', (refusal, remedy) => {
    expect(refusal?.remedy).toBe(remedy);
  });
});

describe('classifyHadoopReply', () => {
  it.each([200, 201, 204])('sees no refusal in %d', (status) => {
    expect(classifyHadoopReply(reply({ status }))).toBeUndefined();
  });

  it.each([
    ['an unknown exception', remote('StrangeException', 'x'), 'unreachable'],
    ['a SecurityException that names no other', remote('SecurityException', 'x'), 'unreachable'],
    [
      "a proxy's plain 403",
      classifyHadoopReply(reply({ contentType: 'text/plain', body: 'Access denied by policy' })),
      'unreachable',
    ],
    [
      'a token that cannot be looked up yet',
      remote('InvalidToken', 'org.apache.hadoop.ipc.RetriableException: in transition'),
      'not-active',
    ],
    ['a NameNode that has not started', remote('IOException', 'Namenode has not been started'), 'not-active'],
    ['one router in safe mode', remote('RouterSafeModeException', 'x', 500), 'not-active'],
    ['an unknown exception of a 500', remote('StrangeException', 'x', 500), 'unreachable'],
    ['an illegal argument, though 500', remote('IllegalArgumentException', 'x', 500), 'bad-request'],
    ['standby, though 500', remote('StandbyException', 'x', 500), 'not-active'],
    ['a connection behind a router', remote('ConnectException', 'Call failed'), 'unreachable'],
    [
      'an EOF of a connection behind a router',
      remote('EOFException', 'End of File Exception between'),
      'unreachable',
    ],
    ['a page of a 503', page(503, 'Service Unavailable'), 'unreachable'],
    ['a page of a 404', page(404, 'Not Found'), 'bad-request'],
    ['a page of a 403 with no text', page(403, ''), 'authentication'],
    ['an empty 403', classifyHadoopReply(reply({ contentType: '' })), 'authentication'],
    ['a redirect', classifyHadoopReply(reply({ status: 307, contentType: '' })), 'bad-request'],
    [
      'a redirect of a standby ResourceManager',
      classifyHadoopReply(
        reply({ status: 307, contentType: 'text/plain', body: 'This is standby RM. The redirect url is: x' }),
      ),
      'not-active',
    ],
    ['429', classifyHadoopReply(reply({ status: 429, contentType: '' })), 'unreachable'],
    [
      'cut-off JSON',
      classifyHadoopReply(reply({ body: '{"RemoteException":{"exception":"Standb' })),
      'unreachable',
    ],
    ['JSON that is no object', classifyHadoopReply(reply({ body: '[1]' })), 'unreachable'],
    [
      'members of the wrong type',
      classifyHadoopReply(reply({ body: '{"RemoteException":{"exception":1,"message":2}}' })),
      'unreachable',
    ],
    ['a null', classifyHadoopReply(reply({ body: '{"RemoteException":null}' })), 'unreachable'],
  ])('calls %s %s', (_, refusal, failure) => {
    expect(refusal?.failure).toBe(failure);
  });

  it.each([
    [
      'a user called like an exception',
      'AccessControlException',
      'InvalidToken tries to renew a token',
      'denied',
    ],
    ['a group called like one', 'SecurityException', 'Failed: User: x.InvalidToken unknown', 'unreachable'],
    ['a token of a user called like one', 'InvalidToken', 'token for StandbyException', 'invalid-token'],
    ['a token of a user called EOFException', 'InvalidToken', 'token for EOFException', 'invalid-token'],
    [
      'a message that quotes standby',
      'AccessControlException',
      'org.apache.hadoop.ipc.StandbyException',
      'denied',
    ],
  ])('is not misled by %s', (_, exception, message, failure) => {
    expect(remote(exception, message)?.failure).toBe(failure);
  });

  it('tells no token of the message', () => {
    const token = 'JAAFYWxpY2UJa2VyYnJpZGdlAIoBogSLfHuKAaIomABrji3-AhQoMGpYrPb2B5jnvdPA';
    const refusal = remote(
      'IllegalArgumentException',
      `Invalid value for token=${token} and ${token}\nlevel=info`,
    );
    expect(refusal?.message).toBe('Invalid value for token=[redacted] and [redacted] level=info');
  });

  it('takes an exception only from a name', () => {
    expect(remote('Bad name\n<script>', 'x')?.exception).toBeUndefined();
    expect(remote('a.b.Outer$InvalidToken', 'x')?.exception).toBe('InvalidToken');
  });
});
