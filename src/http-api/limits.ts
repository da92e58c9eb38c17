import type { AuthenticateOptions, PodLimit } from '../authentication/authentication-result.ts';

/** What callers, who need no credentials for it, can make one server hold at once. */
export interface ServerLimits {
  /** Further ones are closed at once, by Node. More than requests: kept connections that ask nothing are cheap. */
  readonly connections: number;
  /** Of these from one address, unless it is a trusted proxy's: one peer must not be able to close the port to all others. */
  readonly connectionsPerPeer: number;
  /** Requests under way on all connections; further ones get a 503 and nobody is asked anything. */
  readonly requests: number;
  /** Requests under way on one connection, which only pipelining makes more than one; further ones get a 503. */
  readonly requestsPerConnection: number;
  /** Those 503s wait behind the answers before them. With more of them waiting than this, the connection is cut. */
  readonly refusedPerConnection: number;
  /** Request line and headers. A service-account token is some 1,200 bytes, with many audiences a few times that. */
  readonly headerBytes: number;
  /** From the accepted connection, or the first byte of a later request, to the last header, and to the end of a body, which no request of ours needs. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How long a connection is kept that asks nothing. */
  readonly keepAliveTimeoutMs: number;
}

/**
 * Thousands of pods that start at once wait rather than come back. One that waits takes some 85 KB over TLS, 30 KB without,
 * so all of them stay within the memory that deploy/base gives.
 */
export const SERVER_LIMITS: ServerLimits = {
  connections: 7_000,
  connectionsPerPeer: 100,
  requests: 6_000,
  requestsPerConnection: 16,
  refusedPerConnection: 16,
  headerBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 5_000,
};

/** Of the port that only probes and Prometheus come to. */
export const ADMIN_LIMITS = { connections: 200, requests: 100 } as const satisfies Partial<ServerLimits>;

/**
 * Callers of whom nothing is proven yet, which anybody can be: their token's signature is being checked here, or only
 * the API server can check it. Far fewer than requests. Who has shown a good signature needs none of these places any
 * more, and waits among those of its pod and namespace.
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

/** The slot that one request has, or has not. */
export class Place {
  readonly #slots: Slots;
  #state: 'without' | 'taken' | 'left' = 'without';

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** True again for a request that has its slot. False also for one that has left: nobody would give the slot back. */
  take(): boolean {
    if (this.#state === 'without' && this.#slots.take()) this.#state = 'taken';
    return this.#state === 'taken';
  }

  /** The request goes on without the slot, and may take one again. */
  giveBack(): void {
    if (this.#state !== 'taken') return;
    this.#slots.give();
    this.#state = 'without';
  }

  leave(): void {
    if (this.#state === 'taken') this.#slots.give();
    this.#state = 'left';
  }
}

/**
 * Requests of one pod at once: a client waits for its answer. Far fewer than those of a namespace, so that whoever has
 * stolen one token can't use up the places of the namespace with it.
 */
export const MAX_REQUESTS_PER_POD = 16;

/** So many of one key at once. Knows only the keys that have a place now, so it is as small as what is under way. */
export class KeyedSlots {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** How many keys have a place now. */
  get keys(): number {
    return this.#taken.size;
  }

  /** @returns false if the key has none left; else `give` must follow, once */
  take(key: string): boolean {
    const taken = this.#taken.get(key) ?? 0;
    // check: keyed-limit
    if (taken >= this.#most) return false;
    this.#taken.set(key, taken + 1);
    return true;
  }

  give(key: string): void {
    const left = (this.#taken.get(key) ?? 0) - 1;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }
}

export interface PodSlots {
  readonly pods: KeyedSlots;
  readonly namespaces: KeyedSlots;
}

/** The places that one request has in the limits of its pod and its namespace. */
export class PodPlaces {
  readonly #slots: PodSlots;
  #uid: string | undefined;
  #namespace: string | undefined;
  #isOver = false;

  constructor(slots: PodSlots) {
    this.#slots = slots;
  }

  /** Asked once. The limit that is reached. Also for a request that is over: nobody would give the place back. */
  take({ namespace, uid }: { readonly namespace: string; readonly uid: string }): PodLimit | undefined {
    const { pods, namespaces } = this.#slots;
    if (this.#isOver || this.#uid !== undefined || !pods.take(uid)) return 'pod';
    this.#uid = uid;
    if (!namespaces.take(namespace)) return 'namespace';
    this.#namespace = namespace;
    return undefined;
  }

  leave(): void {
    const { pods, namespaces } = this.#slots;
    if (this.#uid !== undefined) pods.give(this.#uid);
    if (this.#namespace !== undefined) namespaces.give(this.#namespace);
    this.#uid = undefined;
    this.#namespace = undefined;
    this.#isOver = true;
  }
}

/** For the authentication of one request: without its place among the unproven from when it is counted with its pod. */
export function admitting(
  place: Place,
  places: PodPlaces,
): Required<Pick<AuthenticateOptions, 'admitCheck' | 'admitPod'>> {
  return {
    admitCheck: () => place.take(),
    admitPod: (pod) => {
      const limit = places.take(pod);
      // Thousands of the proven may wait, and the unproven must not be kept out by them.
      if (limit === undefined) place.giveBack();
      return limit;
    },
  };
}
