import { describe, expect, it } from '@jest/globals';
import { checkName } from './check-names.ts';

const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

describe('checkName', () => {
  it('shows the addresses', async () => {
    expect(await checkName('main', 'nn1', () => Promise.resolve(['10.0.0.1', '10.0.0.2']))).toEqual([
      { id: 'name:main/nn1', title: 'Host name nn1', outcome: 'ok', detail: '10.0.0.1, 10.0.0.2' },
    ]);
  });

  it.each([
    [failing('ENOTFOUND'), 'it does not resolve (ENOTFOUND)'],
    [failing('EAI_AGAIN'), 'DNS does not answer (EAI_AGAIN)'],
    [() => Promise.resolve([]), 'it has no address'],
  ])('fails, and says where to add it', async (lookup, detail) => {
    expect(await checkName('main', 'nn1', lookup)).toMatchObject([
      {
        outcome: 'failed',
        detail,
        fix: expect.stringMatching(/DNS here know nn1 .*hostAliases.*hdfs-site\.xml/),
      },
    ]);
  });
});
