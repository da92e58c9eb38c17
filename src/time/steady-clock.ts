import type { Clock } from './clock.ts';

/** A step of the clock that is told from the two clocks' running apart. */
const JUMP_MS = 1_000;

/**
 * Time for deadlines that must not be missed: begins as our clock says (ms since the epoch) and never goes back. A clock
 * that is set back changes nothing. One that jumps forward is believed, since so does a machine that slept: deadlines then
 * come too early rather than too late. A jump is noticed at the next call, so call it now and then.
 */
export class SteadyClock {
  readonly #clock: Pick<Clock, 'now' | 'uptime'>;
  #now: number;
  #lastWall: number;
  #lastUptime: number;
  #jumps = 0;

  constructor(clock: Pick<Clock, 'now' | 'uptime'>) {
    this.#clock = clock;
    this.#now = clock.now();
    this.#lastWall = this.#now;
    this.#lastUptime = clock.uptime();
  }

  /** How often it has jumped forward. */
  get jumps(): number {
    return this.#jumps;
  }

  /** Whole ms. */
  now(): number {
    const wall = this.#clock.now();
    const uptime = this.#clock.uptime();
    const byUptime = uptime - this.#lastUptime;
    const byWall = wall - this.#lastWall;
    const hasJumped = byWall > byUptime + JUMP_MS;
    if (hasJumped) this.#jumps += 1;
    this.#now += hasJumped ? byWall : byUptime;
    this.#lastWall = wall;
    this.#lastUptime = uptime;
    return Math.floor(this.#now);
  }
}
