/** Writes instants as `Date.toISOString` does. Those of one second have all but their milliseconds in common. */
export class InstantFormatter {
  #second = Number.NaN;
  #start = '';

  /** @param ms since the epoch, a whole number */
  format(ms: number): string {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      this.#start = new Date(second * 1000).toISOString().slice(0, -4);
      this.#second = second;
    }
    return `${this.#start}${String(ms - second * 1000).padStart(3, '0')}Z`;
  }
}
