import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { SpnegoError } from '../hadoop/spnego.ts';
import { CredentialsHold } from './credentials-hold.ts';

const REFUSED = new SpnegoError('credentials', 'Preauthentication failed', { fix: 'Export the keytab anew' });

describe('CredentialsHold', () => {
  const make = (): { clock: FakeClock; hold: CredentialsHold; heldMs: () => Promise<number> } => {
    const clock = new FakeClock();
    const hold = new CredentialsHold(clock, 10_000);
    return {
      clock,
      hold,
      /** How long the hold still stands, to the second. */
      heldMs: async () => {
        for (let ms = 0; ; ms += 1000) {
          try {
            hold.throwIfHeld();
            return ms;
          } catch {
            await clock.advance(1000);
          }
        }
      },
    };
  };

  it('holds nothing at first', async () => {
    const { hold, heldMs } = make();
    expect(await heldMs()).toBe(0);
    expect(hold.refused).toBe(false);
  });

  it('holds twice as long each time, ten minutes at most', async () => {
    const { hold, heldMs } = make();
    const seconds: number[] = [];
    for (let refusal = 0; refusal < 9; refusal += 1) {
      hold.refuse(REFUSED);
      seconds.push((await heldMs()) / 1000);
    }
    expect(seconds).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600]);
  });

  it('is over when it is lifted, and begins small again', async () => {
    const { hold, heldMs } = make();
    hold.refuse(REFUSED);
    hold.refuse(REFUSED);
    hold.lift();
    expect(hold.refused).toBe(false);
    expect(await heldMs()).toBe(0);
    hold.refuse(REFUSED);
    expect(await heldMs()).toBe(10_000);
  });

  it('remembers the refusal when its time is over', async () => {
    const { hold, heldMs } = make();
    hold.refuse(REFUSED);
    await heldMs();
    expect(hold.refused).toBe(true);
  });

  it('does not stand for hours because the clock was set back', async () => {
    const { hold, clock } = make();
    hold.refuse(REFUSED);
    await clock.advance(-3_600_000);
    expect(() => {
      hold.throwIfHeld();
    }).not.toThrow();
  });

  it('says why, what to do, and for how long', async () => {
    const { hold, clock } = make();
    hold.refuse(REFUSED);
    await clock.advance(3500);
    expect(() => {
      hold.throwIfHeld();
    }).toThrow(
      expect.objectContaining({
        failure: 'credentials',
        message: 'Preauthentication failed (the KDC is asked again in 7 s, or when the keytab has changed)',
        fix: 'Export the keytab anew',
      }),
    );
  });
});
