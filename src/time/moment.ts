import type { Clock } from './clock.ts';

/** By both clocks, in ms: one may be set, the other stands still while the machine sleeps. */
export interface Moment {
  readonly now: number;
  readonly uptime: number;
}

export const momentOf = (clock: Pick<Clock, 'now' | 'uptime'>): Moment => ({
  now: clock.now(),
  uptime: clock.uptime(),
});
