import { createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import type { Clock } from '../../src/time/clock.ts';
import type { ErrorRow } from '../fixtures/hadoop-replies/error-row.ts';
import { describe, operations, readToken } from './fake-namenode-operations.ts';
import {
  AUTHORIZATION,
  ILLEGAL_ARGUMENT,
  INVALID_TOKEN,
  forClientThatAccepts,
  forbiddenByFilter,
  json,
  page,
  remote,
  remoteOfFilter,
  unauthorized,
} from './fake-namenode-replies.ts';
import type { FakeReply } from './fake-namenode-replies.ts';
import { readFakeSpnegoToken } from './fake-spnego-initiator.ts';
import { FakeTokenLedger } from './fake-token-ledger.ts';

/** Happens to the next token operation, once. */
export type Fault =
  /** Hangs up, having done nothing. */
  | { readonly fault: 'drop' }
  /** Does what it was asked and hangs up: the lost reply. */
  | { readonly fault: 'lose-reply' }
  /** Does what it was asked and never answers. */
  | { readonly fault: 'hang' }
  /** Hangs up in the middle of the body. */
  | { readonly fault: 'break-off' }
  /** Issues a token with these fields instead of what was asked. */
  | { readonly fault: 'issue-as'; owner?: string; renewer?: string; kind?: string; realUser?: string }
  | ({ readonly fault: 'reply' } & FakeReply);

export interface SeenRequest {
  readonly method: string;
  readonly op: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly rawUrl: string;
}

export interface FakeNameNodeOptions {
  readonly clock: Clock;
  /** Shared with the other NameNode of a pair. */
  readonly ledger?: FakeTokenLedger;
  readonly tls?: { readonly key: string; readonly cert: string };
}

/**
 * The token operations of WebHDFS behind a Kerberos authentication filter, over real HTTP on loopback. What it answers
 * was compared with a real NameNode, row by row of error-table.json (fake-namenode.contract.test.ts). Its SPNEGO tokens
 * are those of FakeSpnegoInitiator.
 */
export class FakeNameNode implements AsyncDisposable {
  readonly ledger: FakeTokenLedger;
  readonly requests: SeenRequest[] = [];
  readonly faults: Fault[] = [];
  /** SPNEGO tokens it has accepted. */
  handshakes = 0;
  role: 'active' | 'standby' | 'safe-mode' | 'starting' = 'active';
  /** Whom `kerbridge`, the only proxy user, may impersonate. */
  readonly proxiedUsers = new Set(['alice', 'bob']);
  proxyHostListed = true;
  /** `HTTP/<host>` of its keytab, and the version of that key. */
  host = 'localhost';
  keyVersion = 1;
  givesCookie = true;
  cookieLifetimeMs = 36_000_000;
  /** Answers to everything, authenticated or not. */
  answerAll: FakeReply | undefined;

  readonly #clock: Clock;
  readonly #server: Server;
  readonly #scheme: string;
  readonly #spnegoTokensSeen = new Set<string>();
  #cookieSecret = randomBytes(32);

  private constructor(options: FakeNameNodeOptions) {
    this.#clock = options.clock;
    this.ledger = options.ledger ?? new FakeTokenLedger();
    this.#scheme = options.tls === undefined ? 'http' : 'https';
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response);
    };
    this.#server =
      options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  }

  static async start(options: FakeNameNodeOptions): Promise<FakeNameNode> {
    const nameNode = new FakeNameNode(options);
    await new Promise<void>((resolve) => {
      nameNode.#server.listen(0, '127.0.0.1', resolve);
    });
    return nameNode;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `${this.#scheme}://localhost:${this.port}`;
  }

  /** The requests for token operations. */
  get tokenRequests(): readonly SeenRequest[] {
    return this.requests.filter(({ op }) => op.endsWith('DELEGATIONTOKEN'));
  }

  /** As a restart: cookies given before are refused. */
  forgetCookies(): void {
    this.#cookieSecret = randomBytes(32);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', this.origin);
    const query = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value] as const));
    const method = request.method ?? '';
    const op = (query.get('op') ?? '').toUpperCase();
    this.requests.push({
      method,
      op,
      query: Object.fromEntries(query),
      headers: request.headers,
      rawUrl: request.url ?? '',
    });
    const fault = op.endsWith('DELEGATIONTOKEN') ? this.faults.shift() : undefined;
    if (fault?.fault === 'drop') {
      request.socket.destroy();
      return;
    }
    const reply =
      this.answerAll ??
      (fault?.fault === 'reply'
        ? fault
        : forClientThatAccepts(request.headers.accept, this.#handle(request, method, op, query, fault)));
    if (fault?.fault === 'hang') return;
    if (fault?.fault === 'lose-reply') {
      request.socket.destroy();
      return;
    }
    response.statusMessage = reply.statusMessage ?? '';
    response.writeHead(reply.status, { ...reply.headers, 'Content-Length': Buffer.byteLength(reply.body) });
    if (fault?.fault === 'break-off') {
      response.write(reply.body.slice(0, 20), () => request.socket.destroy());
      return;
    }
    response.end(reply.body);
  }

  #handle(
    request: IncomingMessage,
    method: string,
    op: string,
    query: ReadonlyMap<string, string>,
    fault: Fault | undefined,
  ): FakeReply {
    if (/%(?![0-9a-f]{2})/iu.test(request.url ?? '')) return page(method, 400, 'Unable to parse URI query');
    const delegation = query.get('delegation');
    if (delegation !== undefined) return this.#byToken(method, op, delegation);
    const caller = this.#authenticate(request, method);
    if ('status' in caller) return caller;
    const reply = this.#asCaller(caller.principal, method, op, query, fault);
    return caller.isNew && this.givesCookie
      ? { ...reply, headers: { ...reply.headers, 'Set-Cookie': this.#makeCookie(caller.principal) } }
      : reply;
  }

  #authenticate(request: IncomingMessage, method: string): FakeReply | { principal: string; isNew: boolean } {
    const { cookie, authorization } = request.headers;
    const signed = /hadoop\.auth="([^"]*)&s=([^"]*)"/u.exec(cookie ?? '');
    if (signed !== null) {
      const [, content = '', signature = ''] = signed;
      if (this.#sign(content) !== signature) {
        return unauthorized(
          method,
          'org.apache.hadoop.security.authentication.util.SignerException: Invalid signature',
        );
      }
      const fields = new Map(content.split('&').map((field) => field.split(/=(.*)/su) as [string, string]));
      if (Number(fields.get('e')) <= this.#clock.now())
        return unauthorized(method, 'AuthenticationToken expired');
      return { principal: fields.get('p') ?? '', isNew: false };
    }
    const base64 = /^Negotiate (.+)$/u.exec(authorization ?? '')?.[1];
    if (base64 === undefined) return unauthorized(method, 'Authentication required');
    const spnegoToken = readFakeSpnegoToken(base64);
    if (spnegoToken === undefined) {
      return forbiddenByFilter(method, 'java.lang.IllegalArgumentException: newLimit > capacity: (111 > 16)');
    }
    const failure = (detail: string) =>
      forbiddenByFilter(
        method,
        `GSSException: Failure unspecified at GSS-API level (Mechanism level: ${detail})`,
      );
    if (spnegoToken.host !== this.host || spnegoToken.keyVersion !== this.keyVersion)
      return failure('Checksum failed');
    if (this.#spnegoTokensSeen.has(base64)) return failure('Request is a replay (34)');
    this.#spnegoTokensSeen.add(base64);
    this.handshakes += 1;
    return { principal: spnegoToken.principal, isNew: true };
  }

  #makeCookie(principal: string): string {
    const expiry = this.#clock.now() + this.cookieLifetimeMs;
    const content = `u=${shortName(principal)}&p=${principal}&t=kerberos&e=${expiry}`;
    return `hadoop.auth="${content}&s=${this.#sign(content)}"; Path=/; HttpOnly`;
  }

  #sign(content: string): string {
    return createHmac('sha256', this.#cookieSecret).update(content).digest('base64');
  }

  #asCaller(
    principal: string,
    method: string,
    op: string,
    query: ReadonlyMap<string, string>,
    fault: Fault | undefined,
  ): FakeReply {
    const caller = shortName(principal);
    const doas = query.get('doas');
    if (doas !== undefined && doas !== caller) {
      const refusal = this.#refuseProxy(caller, doas, method);
      if (refusal !== undefined) return refusal;
    }
    const user = doas ?? caller;
    if (method !== (/^(?:RENEW|CANCEL)DELEGATIONTOKEN$/u.test(op) ? 'PUT' : 'GET') || !KNOWN.has(op)) {
      return remote(
        ILLEGAL_ARGUMENT,
        `Invalid value for webhdfs parameter "op": ${op} is not a valid ${method} operation.`,
        400,
      );
    }
    if (this.role === 'starting')
      return remote('org.apache.hadoop.ipc.RetriableException', 'Namenode is in startup mode');
    if (op === 'GETHOMEDIRECTORY') return json({ Path: `/user/${user}` });
    if (op !== 'GETDELEGATIONTOKEN' && (query.get('token') ?? '') === '') {
      return remote(ILLEGAL_ARGUMENT, `Required param token for op: ${op} is null or empty`, 400);
    }
    if (this.role === 'standby') return STANDBY('WRITE');
    if (this.role === 'safe-mode') {
      const verb = op.startsWith('GET') ? 'issue' : op.startsWith('RENEW') ? 'renew' : 'cancel';
      return remote(
        'org.apache.hadoop.hdfs.server.namenode.SafeModeException',
        `Cannot ${verb} delegation token. Name node is in safe mode.\nIt was turned on manually.`,
      );
    }
    const { fault: _, ...issueAs } = fault?.fault === 'issue-as' ? fault : { fault: '' };
    const rpcAddress = `127.0.0.1:${this.port}`;
    const context = { ledger: this.ledger, now: this.#clock.now(), user, query, rpcAddress, issueAs };
    return operations[op]?.(context) ?? page(method, 500, 'no such operation');
  }

  #refuseProxy(caller: string, doas: string, method: string): FakeReply | undefined {
    if (doas === '') return page(method, 500, 'java.lang.IllegalArgumentException: Null user');
    const [, realm] = doas.split('@');
    if (realm !== undefined && realm !== REALM) {
      return page(
        method,
        500,
        `java.lang.IllegalArgumentException: Illegal principal name ${doas}: org.apache.hadoop.security.authentication.util.KerberosName$NoMatchingRule: No rules applied to ${doas}`,
      );
    }
    const short = shortName(doas);
    if (caller !== 'kerbridge' || !this.proxiedUsers.has(short)) {
      return remoteOfFilter(AUTHORIZATION, `User: ${caller} is not allowed to impersonate ${doas}`);
    }
    if (!this.proxyHostListed) {
      return remoteOfFilter(
        AUTHORIZATION,
        `Unauthorized connection for super-user: ${caller} from IP /127.0.0.1`,
      );
    }
    return realm === undefined
      ? undefined
      : remote(
          'java.lang.SecurityException',
          `Failed to obtain user group information: ${AUTHORIZATION}: User: ${short} is not allowed to impersonate ${doas}`,
        );
  }

  /** A delegation token instead of Kerberos. */
  #byToken(method: string, op: string, delegation: string): FakeReply {
    if (op === 'GETDELEGATIONTOKEN')
      return remote(ILLEGAL_ARGUMENT, 'delegation parameter is not null.', 400);
    const prefix = 'Failed to obtain user group information:';
    const read = readToken(delegation, this.ledger);
    if ('status' in read) return remote('java.lang.SecurityException', `${prefix} java.io.EOFException`);
    if (this.role === 'standby') return STANDBY('READ');
    const invalid = (why: string) =>
      remote('java.lang.SecurityException', `${prefix} ${INVALID_TOKEN}: ${why}`);
    if (read.entry === undefined) return invalid("Token for real user: , can't be found in cache");
    if (!Buffer.from(read.entry.password).equals(read.token.password)) {
      return invalid(`token (${describe(read.said)}) is invalid, password doesn't match`);
    }
    if (op === 'RENEWDELEGATIONTOKEN') {
      return remote(
        'java.io.IOException',
        'Delegation Token can be renewed only with kerberos or web authentication',
      );
    }
    return op === 'GETHOMEDIRECTORY'
      ? json({ Path: `/user/${read.entry.owner}` })
      : page(method, 500, 'no such operation');
  }
}

/** The recorded reply of a row, for `answerAll` or a fault. */
export function replyOfRow(row: Pick<ErrorRow, 'status' | 'statusMessage' | 'headers' | 'body'>): FakeReply {
  return { status: row.status, statusMessage: row.statusMessage, headers: row.headers, body: row.body };
}

const REALM = 'KERBRIDGE.TEST';
const KNOWN = new Set(['GETHOMEDIRECTORY', ...Object.keys(operations)]);

const STANDBY = (category: string): FakeReply =>
  remote(
    'org.apache.hadoop.ipc.StandbyException',
    `Operation category ${category} is not supported in state standby. Visit https://s.apache.org/sbnn-error`,
  );

function shortName(principal: string): string {
  return principal.split(/[/@]/u)[0] ?? '';
}
