import { describe, expect, it } from '@jest/globals';
import { format, inspect } from 'node:util';
import { Secret } from './secret.ts';

describe('Secret', () => {
  const secret = new Secret('hunter2');

  it.each([
    ['string conversion', () => String(secret)],
    ['JSON', () => JSON.stringify({ secret })],
    ['util.inspect', () => inspect({ secret }, { showHidden: true, depth: null })],
    ['util.format', () => format('%s %o %j', secret, secret, secret)],
    ['an error with a cause', () => inspect(new Error('failed', { cause: { secret } }))],
  ])('says [redacted] in %s', (_name, render) => {
    expect(render()).toContain('[redacted]');
    expect(render()).not.toContain('hunter2');
  });

  it('reveals its value only when asked', () => {
    expect(secret.reveal()).toBe('hunter2');
  });
});
