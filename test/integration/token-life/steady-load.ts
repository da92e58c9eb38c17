import { setTimeout as delay } from 'node:timers/promises';
import type { TestNamespace, TestPod } from '../kubernetes-objects.ts';
import { askCredentials, AUDIENCE, type Answer } from '../serve/serve-world.ts';
import type { ServeProcess } from '../serve-process.ts';

export interface LoadPod {
  readonly namespace: TestNamespace;
  readonly pod: TestPod;
}

export interface LoadAnswer extends Pick<Answer, 'status'> {
  readonly pod: string;
  readonly code: unknown;
  /** Seconds; NaN: there is none. */
  readonly retryAfter: number;
  /** Of the tokens that were handed out. */
  readonly numbers: readonly number[];
  readonly askedAt: number;
  readonly answeredAt: number;
}

const EVERY_MS = 1_000;
const ROTATE_EVERY_MS = 5_000;

/** Pods that ask once a second, each with a service-account token that was rotated within the last five seconds. */
export class SteadyLoad implements AsyncDisposable {
  readonly answers: LoadAnswer[] = [];
  readonly #serve: ServeProcess;
  readonly #ended = new AbortController();
  readonly #asking: Promise<unknown>;

  private constructor(serve: ServeProcess, pods: readonly LoadPod[], shown: readonly (readonly string[])[]) {
    this.#serve = serve;
    // Not all at once: at any time some have shown theirs before.
    this.#asking = Promise.all(
      pods.map(({ pod }, index) =>
        this.#ask(pod.uid, shown[index] ?? [], (index * ROTATE_EVERY_MS) / pods.length),
      ),
    );
  }

  /** For `forMs` at most: the tokens are all made beforehand, so that they come while the API server is away. */
  static async start(
    serve: ServeProcess,
    pods: readonly LoadPod[],
    { forMs }: { readonly forMs: number },
  ): Promise<SteadyLoad> {
    const shown: string[][] = [];
    for (const { namespace, pod } of pods) {
      const rotations = Array.from({ length: Math.ceil(forMs / ROTATE_EVERY_MS) + 1 }, async () =>
        (await namespace.requestToken([AUDIENCE], { pod })).reveal(),
      );
      shown.push(await Promise.all(rotations));
    }
    return new SteadyLoad(serve, pods, shown);
  }

  /** All that were asked for and answered since. */
  since(ms: number): readonly LoadAnswer[] {
    return this.answers.filter(({ askedAt }) => askedAt >= ms);
  }

  /** Every number that was ever handed out. */
  get handedOut(): ReadonlySet<number> {
    return new Set(this.answers.flatMap(({ numbers }) => numbers));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#asking;
  }

  async #ask(pod: string, shown: readonly string[], aheadMs: number): Promise<void> {
    const { signal } = this.#ended;
    const begun = Date.now() - aheadMs;
    while (!signal.aborted) {
      const askedAt = Date.now();
      const serviceAccountToken = shown[Math.floor((askedAt - begun) / ROTATE_EVERY_MS)];
      if (serviceAccountToken === undefined) throw new Error('the load was to end before');
      const { status, json, headers } = await askCredentials(this.#serve, serviceAccountToken);
      const tokens = (json['tokens'] ?? []) as readonly { readonly sequenceNumber: number }[];
      this.answers.push({
        pod,
        status,
        code: json['code'],
        retryAfter: Number(headers.get('retry-after') ?? Number.NaN),
        numbers: tokens.map(({ sequenceNumber }) => sequenceNumber),
        askedAt,
        answeredAt: Date.now(),
      });
      await delay(Math.max(0, askedAt + EVERY_MS - Date.now()), undefined, { signal }).catch(() => undefined);
    }
  }
}
