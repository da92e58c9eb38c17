import { Gauge, type Registry } from 'prom-client';

export interface LiveGaugeOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly Label[];
  readonly registers: Registry[];
}

/** A gauge that asks, each time it is read, whoever knows the value now. */
export class LiveGauge<Label extends string = never> {
  readonly #readers: { readonly read: () => number | undefined; readonly labels: Record<Label, string> }[] =
    [];

  constructor({ labelNames = [], ...options }: LiveGaugeOptions<Label>) {
    const readers = this.#readers;
    // oxlint-disable-next-line no-new -- it registers itself
    new Gauge<Label>({
      ...options,
      labelNames,
      collect() {
        this.reset();
        // reset() leaves a 0 where there are no labels, which nobody has said.
        if (labelNames.length === 0) this.remove();
        for (const { read, labels } of readers) {
          const value = read();
          if (value !== undefined) this.set(labels, value);
        }
      },
    });
  }

  /** @param read must not throw; undefined: there is no value now */
  observe(read: () => number | undefined, labels: Record<Label, string>): void {
    this.#readers.push({ read, labels });
  }
}
