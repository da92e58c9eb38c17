import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { runInNewContext } from 'node:vm';
import { errorCode } from './error-code.ts';

describe('errorCode', () => {
  it('reads the code of a system error', async () => {
    expect(errorCode(await readFile('/nonexistent').catch((error: unknown) => error))).toBe('ENOENT');
  });

  it('reads the code of an error from another realm', () => {
    expect(errorCode(runInNewContext(`Object.assign(new Error(), { code: 'EFAR' })`))).toBe('EFAR');
  });

  it.each([
    [undefined],
    [null],
    ['ENOENT'],
    [new Error('no code')],
    [{ code: 42 }],
    [{ code: { secret: 1 } }],
  ])('says unknown for %p', (thrown) => {
    expect(errorCode(thrown)).toBe('unknown');
  });
});
