import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { shellExports } from './description.ts';
import { cacheRoot, stackDir } from './paths.ts';

describe('stackDir', () => {
  it.each([
    ['what is asked for', '/a', { KERBRIDGE_STACK_DIR: '/b', HOME: '/h' }, '/a'],
    ['the variable', undefined, { KERBRIDGE_STACK_DIR: '/b', HOME: '/h' }, '/b'],
    ['XDG', undefined, { XDG_STATE_HOME: '/x', HOME: '/h' }, '/x/kerbridge/stack'],
    ['the home folder', undefined, { HOME: '/h' }, '/h/.local/state/kerbridge/stack'],
    [
      'the home folder for empty variables',
      undefined,
      { KERBRIDGE_STACK_DIR: '', XDG_STATE_HOME: '', HOME: '/h' },
      '/h/.local/state/kerbridge/stack',
    ],
    [
      'the home folder for a relative one',
      undefined,
      { XDG_STATE_HOME: 'x', HOME: '/h' },
      '/h/.local/state/kerbridge/stack',
    ],
  ])('takes %s', (_, explicit, environment, wanted) => {
    expect(stackDir(explicit, environment)).toBe(wanted);
  });
});

describe('cacheRoot', () => {
  it.each([
    [{ XDG_CACHE_HOME: '/x', HOME: '/h' }, '/x/kerbridge'],
    [{ HOME: '/h' }, '/h/.cache/kerbridge'],
  ])('%j', (environment, wanted) => {
    expect(cacheRoot(environment)).toBe(wanted);
  });
});

describe('shellExports', () => {
  it.each([`it's`, '$(touch /tmp/never) `id` $HOME', 'a "b" \\ c', 'two\nlines', ''])(
    'quotes %j for a shell',
    (value) => {
      const script = `${shellExports({ VALUE: value })}printf %s "$VALUE"`;
      expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(value);
    },
  );
});
