import type { TokenSource } from '../../src/delegation-tokens/credentials.ts';
import type { HolderPod } from '../../src/delegation-tokens/holders.ts';
import { DEFAULT_SHARING, type Sharing } from '../../src/delegation-tokens/sharing.ts';
import type { CachedToken } from '../../src/delegation-tokens/token-cache.ts';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMING,
  TokenLife,
  type TokenLifeEvent,
  type TokenLifeOptions,
} from '../../src/delegation-tokens/token-life.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { FakeTokenBacking, FakeTokenStore } from './fake-token-store.ts';
import { FakeTokenService } from './fake-token-service.ts';

/** How long a renewal lasts, and a token: short, so that a test lives through many of them. */
export const INTERVAL_MS = 3_600_000;
export const LIFE_MS = 7 * INTERVAL_MS;

export interface LifeWorldOptions {
  readonly clock?: FakeClock;
  readonly tokenService?: FakeTokenService;
  readonly backing?: FakeTokenBacking;
  readonly sharing?: Partial<Sharing>;
  readonly options?: Partial<TokenLifeOptions>;
}

export interface Pod {
  readonly namespace?: string;
  readonly uid?: string;
  readonly user?: string;
  readonly createdAt?: number;
}

export interface Asked extends Pick<Pod, 'namespace' | 'uid' | 'user'> {
  readonly owner?: string;
  readonly signal?: AbortSignal;
}

/** One replica with a Hadoop of its own, a store, and pods that come and go; all of it in memory, by a clock of the test's. */
export class LifeWorld {
  readonly clock: FakeClock;
  readonly tokenService: FakeTokenService;
  readonly backing: FakeTokenBacking;
  readonly store: FakeTokenStore;
  readonly source: TokenSource;
  readonly life: TokenLife;
  readonly events: TokenLifeEvent[] = [];
  readonly pods = new Set<HolderPod>();
  /** What the reflector knows, where that is not what the API server knows. */
  seen: Iterable<HolderPod> | undefined | 'all' = 'all';
  podsFail = false;
  /** A list of the pods is answered no sooner, with those there were when it was asked for. */
  listing: Promise<void> = Promise.resolve();
  listed = 0;

  constructor(options: LifeWorldOptions = {}) {
    this.clock = options.clock ?? new FakeClock();
    const { clock } = this;
    this.tokenService = options.tokenService ?? newTokenService(clock);
    this.backing = options.backing ?? new FakeTokenBacking();
    this.store = new FakeTokenStore({ clock, backing: this.backing });
    this.source = {
      cluster: 'prod',
      name: 'ns1',
      kind: 'HDFS_DELEGATION_TOKEN',
      renewer: 'kerbridge',
      services: ['ha-hdfs:ns1'],
      tokenService: this.tokenService,
    };
    this.life = new TokenLife({
      sources: [this.source],
      store: this.store,
      holders: {
        lastSeen: () => (this.seen === 'all' ? this.pods : this.seen),
        listNow: (namespace) => {
          this.listed += 1;
          if (this.podsFail) return Promise.reject(new Error('the API server does not answer'));
          const all = [...this.pods];
          const found = all.filter((pod) => namespace === undefined || pod.namespace === namespace);
          return this.listing.then(() => found);
        },
      },
      clock,
      random: () => 0.5,
      replica: 'one',
      sharing: { ...DEFAULT_SHARING, ...options.sharing },
      timing: DEFAULT_TIMING,
      limits: DEFAULT_LIMITS,
      onEvent: (event) => this.events.push(event),
      ...options.options,
    });
  }

  async start(): Promise<this> {
    await this.life.start();
    await settle();
    return this;
  }

  pod({
    namespace = 'science',
    uid = 'uid-1',
    user = 'alice',
    createdAt = this.clock.now(),
  }: Pod = {}): HolderPod {
    const pod = { namespace, uid, stampedUser: user, createdAt };
    this.pods.add(pod);
    return pod;
  }

  async get(asked: Asked = {}): Promise<CachedToken> {
    const stampedUser = asked.user ?? 'alice';
    const request = {
      source: this.source,
      owner: asked.owner ?? stampedUser,
      stampedUser,
      namespace: asked.namespace ?? 'science',
      podUid: asked.uid ?? 'uid-1',
    };
    return await this.life.cache.get(request, asked.signal === undefined ? {} : { signal: asked.signal });
  }

  /** What one call of the fake Hadoop was made how often. */
  count(call: 'issue' | 'renew' | 'cancel'): number {
    return this.tokenService.calls.filter((each) => each.startsWith(`${call} `)).length;
  }

  eventsOf<Type extends TokenLifeEvent['type']>(type: Type): Extract<TokenLifeEvent, { type: Type }>[] {
    return this.events.filter(
      (event): event is Extract<TokenLifeEvent, { type: Type }> => event.type === type,
    );
  }
}

export function newTokenService(clock: FakeClock): FakeTokenService {
  return new FakeTokenService({ clock, renewIntervalMs: INTERVAL_MS, maxLifetimeMs: LIFE_MS });
}
