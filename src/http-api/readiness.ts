import { withDeadline } from '../concurrency/deadline.ts';
import { type DescribedError, describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { failureFields } from './failure-fields.ts';

/** One thing `serve` needs, with a cheap way to see if it is there. */
export interface Dependency {
  /** From our configuration, bounded: `kubernetes`, `audit`, `hadoop/<cluster>/<nameservice>`, `kerberos/<cluster>`. */
  readonly name: string;
  /**
   * `always`: not ready while the check fails, for {@link FAILURES_UNTIL_BLOCKING} times in a row once it had succeeded.
   * `until-first-success`: a wrong keytab stops a roll-out, but a NameNode that goes down later must not take away the
   * replicas that still answer from their cache.
   */
  readonly required: 'always' | 'until-first-success';
  /**
   * Hadoop cluster that it belongs to. A cluster is there once all of its dependencies have succeeded, and then it can be
   * served without the others: {@link OTHER_CLUSTERS_MS} later those block no more.
   */
  readonly cluster?: string;
  /** Resolves if the dependency is there. */
  readonly check: (signal: AbortSignal) => Promise<void>;
}

export interface DependencyReport {
  readonly name: string;
  readonly status: 'ok' | 'failing' | 'unknown';
  /** Keeps the whole from being ready. */
  readonly blocking: boolean;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly status: 'ready' | 'not-ready' | 'shutting-down';
  readonly dependencies: readonly DependencyReport[];
}

export interface ReadinessOptions {
  readonly dependencies: readonly Dependency[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly checkTimeoutMs: number;
}

/** However often it is asked, a dependency is checked no more often than this. */
export const CHECK_INTERVAL_MS = { ok: 30_000, failing: 5_000 } as const;

/** One call that fails is no reason to take every replica out of service at the same moment: they ask the same server. */
export const FAILURES_UNTIL_BLOCKING = 3;

/** How long a cluster that is there waits for the others. */
export const OTHER_CLUSTERS_MS = 60_000;

interface State {
  status: DependencyReport['status'];
  succeededOnce: boolean;
  failuresInARow: number;
  /** What the log said last, in brief. */
  logged: string;
  checkedAt: number;
  running: Promise<void> | undefined;
}

/** Answers a probe from what is known and never makes it wait; an answer that is old starts a check. */
export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #states: ReadonlyMap<Dependency, State>;
  #shuttingDown = false;
  /** When the first of the clusters was there. */
  #clusterSince: number | undefined;
  #saidWithout = false;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#states = new Map(
      options.dependencies.map((dependency) => [
        dependency,
        {
          status: 'unknown',
          succeededOnce: false,
          failuresInARow: 0,
          logged: '',
          checkedAt: 0,
          running: undefined,
        },
      ]),
    );
  }

  report(): ReadinessReport {
    void this.refresh();
    const goesWithout = this.#goesWithout();
    const dependencies = [...this.#states].map(([dependency, state]) => ({
      name: dependency.name,
      status: state.status,
      blocking: !goesWithout.includes(dependency) && isBlocking(dependency.required, state),
    }));
    const ready = !this.#shuttingDown && dependencies.every(({ blocking }) => !blocking);
    return {
      ready,
      status: this.#shuttingDown ? 'shutting-down' : ready ? 'ready' : 'not-ready',
      dependencies,
    };
  }

  /** What is of clusters that were never there, when another one has been for long enough. */
  #goesWithout(): readonly Dependency[] {
    if (this.#clusterSince === undefined) return [];
    const age = this.#options.clock.now() - this.#clusterSince;
    // A clock that was set back says nothing about how long it was.
    if (age >= 0 && age < OTHER_CLUSTERS_MS) return [];
    const never = [...this.#states].flatMap(([dependency, { succeededOnce }]) =>
      dependency.cluster === undefined || succeededOnce ? [] : [dependency],
    );
    if (never.length > 0 && !this.#saidWithout) {
      this.#saidWithout = true;
      const clusters = [...new Set(never.map(({ cluster }) => cluster))];
      this.#options.logger.warn('Ready without clusters that were never there', { clusters });
    }
    return never;
  }

  #noteCluster(cluster: string): void {
    const own = [...this.#states].filter(([dependency]) => dependency.cluster === cluster);
    if (own.every(([, { succeededOnce }]) => succeededOnce)) this.#clusterSince ??= this.#options.clock.now();
  }

  /** From now on never ready, so that the Service sends nobody new. */
  startShutdown(): void {
    this.#shuttingDown = true;
  }

  /** Checks what has not been checked lately; resolves when those checks are done. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#shuttingDown) return;
    await Promise.all([...this.#states].map(([dependency, state]) => this.#refreshOne(dependency, state)));
  }

  async #refreshOne(dependency: Dependency, state: State): Promise<void> {
    const age = this.#options.clock.now() - state.checkedAt;
    // A negative age is a clock that was set back: it says nothing about when the check was.
    const fresh =
      age >= 0 &&
      ((state.status === 'ok' && age < CHECK_INTERVAL_MS.ok) ||
        (state.status === 'failing' && age < CHECK_INTERVAL_MS.failing));
    if (fresh) return;
    state.running ??= this.#check(dependency, state).finally(() => {
      state.running = undefined;
    });
    await state.running;
  }

  async #check(dependency: Dependency, state: State): Promise<void> {
    const { clock, logger, metrics, checkTimeoutMs } = this.#options;
    try {
      const onTimeout = () => new Error(`no answer within ${checkTimeoutMs} ms`);
      // A check that ignores its signal counts as failed all the same.
      await withDeadline({ clock, timeoutMs: checkTimeoutMs, onTimeout }, dependency.check);
      state.status = 'ok';
      state.succeededOnce = true;
      state.failuresInARow = 0;
      if (dependency.cluster !== undefined) this.#noteCluster(dependency.cluster);
      if (state.logged !== 'ok') logger.info('Dependency is ready', { dependency: dependency.name });
      state.logged = 'ok';
    } catch (error) {
      state.status = 'failing';
      state.failuresInARow += 1;
      const described = describeError(error);
      const summary = JSON.stringify(inBrief(described));
      if (state.logged !== summary) {
        logger.warn('Dependency is not ready', {
          dependency: dependency.name,
          failure: failureFields(error),
          error: described,
        });
      }
      state.logged = summary;
    }
    state.checkedAt = clock.now();
    metrics.dependencyReady.set({ dependency: dependency.name }, state.status === 'ok' ? 1 : 0);
  }
}

function inBrief({ name, code, message, errors }: DescribedError): unknown {
  return [name, code, message, errors?.map(inBrief)];
}

function isBlocking(required: Dependency['required'], state: State): boolean {
  if (state.status === 'ok') return false;
  if (!state.succeededOnce) return true;
  return required === 'always' && state.failuresInARow >= FAILURES_UNTIL_BLOCKING;
}
