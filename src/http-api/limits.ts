/** What callers, who need no credentials for it, can make one server hold at once. */
export interface ServerLimits {
  /** Further ones are closed at once, by Node. More than requests: kept connections that ask nothing are cheap. */
  readonly connections: number;
  /** Requests under way on all connections; further ones get a 503 and nobody is asked anything. */
  readonly requests: number;
  /** Requests under way on one connection, which only pipelining makes more than one; further ones get a 503. */
  readonly requestsPerConnection: number;
  /** Those 503s wait behind the answers before them. With more of them waiting than this, the connection is cut. */
  readonly refusedPerConnection: number;
  /** Request line and headers. A service-account token is some 1,200 bytes, with many audiences a few times that. */
  readonly headerBytes: number;
  /** From the first byte to the last header, and to the end of a body, which no request of ours needs. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How long a connection is kept that asks nothing. */
  readonly keepAliveTimeoutMs: number;
}

export const SERVER_LIMITS: ServerLimits = {
  connections: 2_000,
  requests: 1_000,
  requestsPerConnection: 16,
  refusedPerConnection: 16,
  headerBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 5_000,
};

/**
 * Callers whose service-account token is being checked, which anybody can make us do. Half of the requests, so that
 * a flood of unknown callers leaves room for those who are known already and wait for Hadoop.
 */
export const MAX_AUTHENTICATIONS = 500;

/** So many at once and no more. Nobody waits for a slot: who gets none is refused. */
export class Slots {
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @returns false if there is none left; else `give` must follow, once */
  take(): boolean {
    if (this.#taken >= this.#most) return false;
    this.#taken += 1;
    return true;
  }

  give(): void {
    this.#taken -= 1;
  }
}
