import { describe, expect, it } from '@jest/globals';
import { InstantFormatter } from './format-instant.ts';

describe('InstantFormatter', () => {
  it('writes what Date writes, whatever it wrote before', () => {
    const formatter = new InstantFormatter();
    for (const ms of [
      1_767_225_600_000, 1_767_225_600_007, 1_767_225_600_999, 1_767_225_601_000, 0, 1, 999, -1, -1_000,
      253_402_300_799_999, 1_767_225_600_050,
    ]) {
      expect(formatter.format(ms)).toBe(new Date(ms).toISOString());
    }
  });
});
