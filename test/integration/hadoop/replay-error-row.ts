import type { RowRequest } from '../../fixtures/hadoop-replies/error-row.ts';
import { decodeTokenUrlString, encodeTokenUrlString } from '../../../src/hadoop/codec/token.ts';

/** A NameNode, real or fake, at which a row of the error table can be brought about. */
export interface ReplayTarget {
  /** `scheme://host:port` of an active NameNode. */
  readonly origin: string;
  /** Of a standby one, if there is one. */
  readonly standbyOrigin: string | undefined;
  /** A fresh SPNEGO token (base64) of that principal. */
  negotiate(as: RowRequest['as']): Promise<string>;
  /** Runs `work` while the active NameNode is in that state. */
  during<T>(state: 'safe-mode' | 'proxy-host-not-listed', work: () => Promise<T>): Promise<T>;
}

export interface ReplayedReply {
  readonly status: number;
  readonly statusMessage: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const GARBAGE = Buffer.from('not a SPNEGO token').toString('base64');

/** Brings the situation of the row about and returns what the server says to it. */
export async function replay(
  request: RowRequest,
  target: ReplayTarget,
  accept = '*/*',
): Promise<ReplayedReply> {
  const token = request.token === undefined ? '' : await makeToken(request.token, target);
  const query = request.query.replaceAll('<token>', token);
  const origin = request.state === 'standby' ? target.standbyOrigin : target.origin;
  if (origin === undefined) throw new Error('no standby NameNode to ask');
  const headers = { ...(await authenticate(request, target, origin)), Accept: accept };
  const send = () => call(request.method, origin, query, headers);
  return request.state === 'safe-mode' || request.state === 'proxy-host-not-listed'
    ? await target.during(request.state, send)
    : await send();
}

async function makeToken(which: NonNullable<RowRequest['token']>, target: ReplayTarget): Promise<string> {
  const urlString = await issueToken(target);
  const token = decodeTokenUrlString(urlString);
  switch (which) {
    case 'live':
      return urlString;
    case 'cancelled':
      await call(
        'PUT',
        target.origin,
        `op=CANCELDELEGATIONTOKEN&token=${urlString}`,
        await negotiated('kerbridge', target),
      );
      return urlString;
    case 'wrong-password':
      return encodeTokenUrlString({ ...token, password: token.password.map((byte) => byte ^ 0xff) });
    case 'truncated':
      return urlString.slice(0, 24);
  }
}

async function issueToken(target: ReplayTarget): Promise<string> {
  const query = 'op=GETDELEGATIONTOKEN&doas=alice&renewer=kerbridge&service=test&kind=HDFS_DELEGATION_TOKEN';
  const { status, body } = await call('GET', target.origin, query, await negotiated('kerbridge', target));
  if (status !== 200) throw new Error(`no token to test with: ${status} ${body}`);
  return (JSON.parse(body) as { Token: { urlString: string } }).Token.urlString;
}

async function negotiated(as: RowRequest['as'], target: ReplayTarget): Promise<Record<string, string>> {
  return { Authorization: `Negotiate ${await target.negotiate(as)}` };
}

async function authenticate(
  request: RowRequest,
  target: ReplayTarget,
  origin: string,
): Promise<Record<string, string>> {
  switch (request.authentication) {
    case 'none':
      return {};
    case 'negotiate':
      return await negotiated(request.as, target);
    case 'repeated-negotiate': {
      const headers = await negotiated(request.as, target);
      await call('GET', origin, 'op=GETHOMEDIRECTORY', headers);
      return headers;
    }
    case 'garbage-negotiate':
      return { Authorization: `Negotiate ${GARBAGE}` };
    case 'tampered-cookie': {
      const { headers } = await call(
        'GET',
        origin,
        'op=GETHOMEDIRECTORY',
        await negotiated(request.as, target),
      );
      const cookie = (headers['set-cookie'] ?? '').split(';')[0] ?? '';
      return { Cookie: cookie.replace(/&s=[^"]*/u, `&s=${Buffer.alloc(32).toString('base64')}`) };
    }
  }
}

async function call(
  method: string,
  origin: string,
  query: string,
  headers: Record<string, string>,
): Promise<ReplayedReply> {
  const response = await fetch(`${origin}/webhdfs/v1/?${query}`, { method, headers, redirect: 'manual' });
  return {
    status: response.status,
    statusMessage: response.statusText,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}
