import type { AuditDestination } from '../../src/observability/audit-destination.ts';

type Step =
  /** Takes so many bytes. */
  | number
  /** Rejects with this code. */
  | string
  /** Takes all when this resolves. */
  | Promise<void>;

/** An audit destination that takes everything, or what a test tells it to. */
export class FakeAuditDestination implements AuditDestination {
  /** What the next calls of `write` do; when it is empty, they take all. */
  readonly steps: Step[] = [];
  /** What the next calls of `prepare` do. */
  readonly openings: (string | { readonly withinLine: boolean } | Promise<undefined>)[] = [];
  readonly writes: string[] = [];
  closed = 0;
  #writing = 0;

  get text(): string {
    return this.writes.join('');
  }

  async prepare(): Promise<{ readonly withinLine: boolean } | undefined> {
    const opening = await this.openings.shift();
    if (typeof opening === 'string') throw systemError(opening);
    return opening;
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.#writing += 1;
    try {
      if (this.#writing > 1) throw new Error('two writes at once');
      const step = this.steps.shift();
      // Never at once, as from a real system.
      await (typeof step === 'object' ? step : Promise.resolve());
      if (typeof step === 'string') throw systemError(step);
      const taken = typeof step === 'number' ? Math.min(step, bytes.length) : bytes.length;
      this.writes.push(Buffer.from(bytes.subarray(0, taken)).toString());
      return taken;
    } finally {
      this.#writing -= 1;
    }
  }

  async close(): Promise<void> {
    this.closed += 1;
    await Promise.resolve();
  }
}

const systemError = (code: string): Error => Object.assign(new Error(`${code}: quoting hunter2`), { code });
