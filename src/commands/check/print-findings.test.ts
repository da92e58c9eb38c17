import { describe, expect, it } from '@jest/globals';
import { findingText, summaryOf, summaryText } from './print-findings.ts';
import { splitFix } from './split-fix.ts';

const finding = (outcome: 'ok' | 'warning' | 'failed' | 'skipped', fix?: string) => ({
  id: 'a:b',
  title: 'What',
  outcome,
  detail: 'seen',
  ...(fix === undefined ? {} : { fix }),
});

describe('findingText', () => {
  it.each([
    [finding('ok'), 'ok       What: seen\n'],
    [finding('skipped'), 'skipped  What  [a:b]\n         seen\n'],
    [finding('warning', 'mend it'), 'warning  What  [a:b]\n         seen\n         fix: mend it\n'],
    [finding('failed', 'mend it'), 'FAILED   What  [a:b]\n         seen\n         fix: mend it\n'],
  ])('prints %j', (given, text) => {
    expect(findingText(given)).toBe(text);
  });

  it('lets nobody forge a line or colour it', () => {
    const text = findingText({ ...finding('failed', 'x'), detail: 'a\nok       All: well\u001b[2K' });
    expect(text.split('\n')[1]).toBe('         a?ok       All: well?[2K');
  });
});

describe('summaryOf', () => {
  it('counts', () => {
    const summary = summaryOf([finding('ok'), finding('failed'), finding('ok'), finding('skipped')]);
    expect(summary).toEqual({ ok: 2, warning: 0, failed: 1, skipped: 1 });
    expect(summaryText(summary)).toBe('\n1 failed, 0 warning(s), 2 ok, 1 skipped\n');
  });
});

describe('splitFix', () => {
  it.each([
    ['is wrong; set it to x, or y; or z', { detail: 'is wrong', fix: 'Set it to x, or y; or z' }],
    ['is wrong', { detail: 'is wrong', fix: 'look' }],
  ])('splits %j', (message, wanted) => {
    expect(splitFix(message, 'look')).toEqual(wanted);
  });
});
