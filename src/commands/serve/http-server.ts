import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { normaliseIpAddress } from '../../authentication/ip-address.ts';
import type { ListenAddress } from '../../config/listen-address.ts';
import { SERVER_LIMITS, type ServerLimits, Slots } from '../../http-api/limits.ts';
import { overloadedProblem, type Random } from '../../http-api/outcome-to-status.ts';
import {
  expectationFailed,
  headersTooLarge,
  invalidRequest,
  methodNotAllowed,
  type Problem,
  requestTimeout,
  sendProblem,
  writeProblem,
} from '../../http-api/problem.ts';
import type { RefusalReason, Refusals } from '../../http-api/refusals.ts';
import { createAddressMatch } from '../../http-api/source-address.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import { secureContextOptions, type TlsPair } from './tls-certificate.ts';

/** For a handshake, from the accepted connection to its end. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/**
 * Connections that the system holds for us until the event loop takes them; the system's own limit (somaxconn) may be less.
 * With Node's 511 a burst within one busy moment has its connections reset, which no limit of ours would show.
 */
const LISTEN_BACKLOG = 4_096;
/** How often Node looks for requests that are too slow; 30 s by default, which would add as much to every limit. */
const SLOW_CHECK_INTERVAL_MS = 1_000;

export interface HttpServerOptions {
  readonly listener: RequestListener;
  readonly refusals: Refusals;
  /** Default: {@link SERVER_LIMITS}. */
  readonly limits?: Partial<ServerLimits>;
  /** IP addresses and CIDR ranges that stand for many peers, and may have as many connections as there are. Default: none. */
  readonly trustedProxies?: readonly string[];
  readonly random?: Random;
  /** HTTPS, with this certificate until `useCertificate`. Left out: plain HTTP. */
  readonly tls?: {
    readonly pair: TlsPair;
    readonly handshakeTimeoutMs?: number;
    /** Only clients with a certificate of these authorities, in PEM, get as far as a request. */
    readonly clientCa?: string;
  };
}

/** A server that takes no more than it can hold, answers what Node would answer, and ends requests before connections. */
export class HttpServer {
  readonly #server: Server | TlsServer;
  readonly #listener: RequestListener;
  readonly #refusals: Refusals;
  readonly #limits: ServerLimits;
  readonly #random: Random;
  readonly #clientCa: { readonly ca?: string };
  readonly #admitted: Slots;
  /** The answers that are not written yet, by connection: those of refused requests too. */
  readonly #open = new Map<Duplex, Set<ServerResponse>>();
  readonly #isTrustedProxy: (address: string) => boolean;
  /** Connections by the address of their peer. */
  readonly #peers = new Map<string, number>();
  #stopping = false;

  constructor(options: HttpServerOptions) {
    const { listener, refusals, limits, random = Math.random, tls } = options;
    this.#isTrustedProxy = createAddressMatch(options.trustedProxies ?? []);
    this.#listener = listener;
    this.#refusals = refusals;
    this.#limits = { ...SERVER_LIMITS, ...limits };
    this.#random = random;
    this.#clientCa = tls?.clientCa === undefined ? {} : { ca: tls.clientCa };
    this.#admitted = new Slots(this.#limits.requests);
    const serverOptions = {
      // Most requests have no body, and then Node need not make a stream that ends for each.
      optimizeEmptyRequests: true,
      maxHeaderSize: this.#limits.headerBytes,
      headersTimeout: this.#limits.headersTimeoutMs,
      requestTimeout: this.#limits.requestTimeoutMs,
      keepAliveTimeout: this.#limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(SLOW_CHECK_INTERVAL_MS, this.#limits.headersTimeoutMs),
    };
    this.#server =
      tls === undefined ? createServer(serverOptions) : this.#createTlsServer(serverOptions, tls);
    this.#server.maxConnections = this.#limits.connections;
    this.#server
      .prependListener('connection', (socket: Socket) => this.#admit(socket))
      .on('request', (request, response) => this.#take(request, response, this.#listener))
      .on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
        this.#take(request, response, () => this.#refuse(response, 'expectation', expectationFailed)),
      )
      .on('clientError', (error, socket) => this.#answerUnreadable(error, socket))
      .on('connect', (_request, socket) => {
        socket.on('error', () => undefined);
        this.#refuseConnection(socket, 'connect', methodNotAllowed('GET, HEAD'));
      })
      .on('drop', () => this.#refusals.note('too-many-connections'));
  }

  #createTlsServer(
    options: ServerOptions,
    { pair, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS, clientCa }: NonNullable<HttpServerOptions['tls']>,
  ): TlsServer {
    const server = createTlsServer({
      ...options,
      ...secureContextOptions(pair),
      ...this.#clientCa,
      requestCert: clientCa !== undefined,
      rejectUnauthorized: clientCa !== undefined,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
    });
    // Before Node's own listener, which makes a clientError of it: on this connection nobody could read our answer.
    return server.prependListener('tlsClientError', (error, socket) => {
      // Who goes away in the middle is no sign of trouble: load balancers look that way whether a port is open.
      if (errorCode(error) !== 'ECONNRESET') this.#refusals.note('tls-handshake');
      socket.destroy();
    });
  }

  /** For connections from now on; those that are open go on as they are. Only with `tls`. */
  useCertificate(pair: TlsPair): void {
    if (!('setSecureContext' in this.#server)) throw new Error('a server of plain HTTP has no certificate');
    // With the client's authorities, or those of Node would be in their place.
    this.#server.setSecureContext({ ...secureContextOptions(pair), ...this.#clientCa });
  }

  /** Before Node's own listener, which leaves alone what is closed. With TLS this is the connection below it. */
  #admit(socket: Socket): void {
    const known = normaliseIpAddress(socket.remoteAddress ?? '');
    if (known !== undefined && this.#isTrustedProxy(known)) return;
    const peer = known ?? 'unknown';
    const before = this.#peers.get(peer) ?? 0;
    if (before >= this.#limits.connectionsPerPeer) {
      this.#refusals.note('too-many-connections');
      socket.destroy();
      return;
    }
    this.#peers.set(peer, before + 1);
    socket.once('close', () => {
      const left = (this.#peers.get(peer) ?? 1) - 1;
      if (left > 0) this.#peers.set(peer, left);
      else this.#peers.delete(peer);
    });
  }

  #take(request: IncomingMessage, response: ServerResponse, answer: RequestListener): void {
    const { requestsPerConnection, refusedPerConnection } = this.#limits;
    const { socket } = request;
    const open = this.#openOn(socket);
    if (socket.destroyed || open.size >= requestsPerConnection + refusedPerConnection) {
      // Node has read up to 64 KB ahead, and gives us the requests in it one by one also after the cut.
      this.#refusals.note('connection-cut');
      socket.destroy();
      return;
    }
    const onConnection = open.size;
    open.add(response);
    if (this.#stopping) response.setHeader('Connection', 'close');
    const refusal =
      onConnection >= requestsPerConnection
        ? 'too-many-on-connection'
        : this.#admitted.take()
          ? undefined
          : 'too-many-requests';
    response.on('close', () => {
      // Once, though it is no `once`: that would cost as much again.
      if (open.delete(response) && refusal === undefined) this.#admitted.give();
    });
    if (refusal === undefined) answer(request, response);
    else this.#refuse(response, refusal, overloadedProblem(this.#random));
  }

  #openOn(socket: Duplex): Set<ServerResponse> {
    const known = this.#open.get(socket);
    if (known !== undefined) return known;
    const open = new Set<ServerResponse>();
    this.#open.set(socket, open);
    socket.once('close', () => this.#open.delete(socket));
    return open;
  }

  #refuse(response: ServerResponse, reason: RefusalReason, problem: Problem): void {
    this.#refusals.note(reason);
    const requestId = randomUUID();
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    sendProblem(response, problem, requestId);
  }

  /** What is no HTTP, or not within Node's limits. There is no request to answer, only a connection. */
  #answerUnreadable(error: unknown, socket: Duplex): void {
    const code = errorCode(error);
    if (code === 'ECONNRESET' || socket.destroyed || socket.writableEnded) {
      socket.destroy();
    } else if (code.startsWith('ERR_SSL_')) {
      // A broken record, or a renegotiation: OpenSSL takes no answer on this connection any more, and Node leaves it open.
      this.#refusals.note('malformed');
      socket.destroy();
    } else if (code === 'HPE_HEADER_OVERFLOW') {
      this.#refuseConnection(socket, 'headers-too-large', headersTooLarge);
    } else if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      this.#refuseConnection(socket, 'too-slow', requestTimeout);
    } else {
      this.#refuseConnection(socket, 'malformed', invalidRequest('The request is no valid HTTP'));
    }
  }

  #refuseConnection(socket: Duplex, reason: RefusalReason, problem: Problem): void {
    this.#refusals.note(reason);
    const waiting = this.#open.get(socket)?.size ?? 0;
    // With answers still to come on this connection, the client would take ours for one of them.
    if (waiting > 0) socket.destroy();
    else socket.end(writeProblem(problem, randomUUID()), () => socket.destroy());
  }

  /** Resolves to where it listens, which with port 0 is news. Rejects with the system's error. */
  async listen({ address, port }: ListenAddress): Promise<ListenAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host: address, backlog: LISTEN_BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server has no address');
    return { address: bound.address, port: bound.port };
  }

  /** From now on each answer ends its connection; new connections are still taken, for those who don't know yet. */
  startDraining(): void {
    this.#stopping = true;
    for (const open of this.#open.values()) {
      for (const response of open) if (!response.headersSent) response.setHeader('Connection', 'close');
    }
  }

  /**
   * Takes no more connections and waits for the requests under way, for as long as the grace period lasts.
   * @returns how many requests were cut off
   */
  async stop(gracePeriodMs: number, clock: Clock): Promise<number> {
    this.startDraining();
    const over = new AbortController();
    // close() also closes the connections that are idle now; those in use end with their answer (Connection: close).
    const closed = new Promise<'closed'>((resolve) => this.#server.close(() => resolve('closed')));
    const timeout = clock.sleep(gracePeriodMs, over.signal).then(
      () => 'timeout' as const,
      () => 'closed' as const,
    );
    const outcome = await Promise.race([closed, timeout]);
    over.abort();
    const cutOff = outcome === 'closed' ? 0 : this.#admitted.taken;
    this.#server.closeAllConnections();
    return cutOff;
  }
}
