import type { Clock } from './clock.ts';

/** A step of the clock that is told from the two clocks' running apart. */
const JUMP_MS = 1_000;

/**
 * Time for deadlines that must not be missed: begins as our clock says (ms since the epoch) and never goes back. A clock
 * that is set back changes nothing. One that jumps forward is believed, since so does a machine that slept: deadlines then
 * come too early rather than too late. A jump is noticed at the next call, so call it now and then. Small steps forward,
 * as a machine's that is often paused, are believed once they add up to one.
 */
export class SteadyClock {
  readonly #clock: Pick<Clock, 'now' | 'uptime'>;
  #now: number;
  #lastWall: number;
  #lastUptime: number;
  /** How far the wall clock has run ahead without being believed yet. */
  #aheadMs = 0;
  #jumpedMs = 0;

  constructor(clock: Pick<Clock, 'now' | 'uptime'>) {
    this.#clock = clock;
    this.#now = clock.now();
    this.#lastWall = this.#now;
    this.#lastUptime = clock.uptime();
  }

  /** By how much it has jumped forward, in all. Whole ms. */
  get jumpedMs(): number {
    return Math.round(this.#jumpedMs);
  }

  /** Whole ms. */
  now(): number {
    const wall = this.#clock.now();
    const uptime = this.#clock.uptime();
    const byUptime = uptime - this.#lastUptime;
    this.#now += byUptime;
    this.#aheadMs = Math.max(0, this.#aheadMs + wall - this.#lastWall - byUptime);
    if (this.#aheadMs > JUMP_MS) {
      this.#now += this.#aheadMs;
      this.#jumpedMs += this.#aheadMs;
      this.#aheadMs = 0;
    }
    this.#lastWall = wall;
    this.#lastUptime = uptime;
    return Math.floor(this.#now);
  }
}
