import { describe, expect, it } from '@jest/globals';
import { formatStatus, parseStatus, type WatchStatus } from './watch-status.ts';

const STATUS: WatchStatus = {
  state: 'waiting',
  writtenAt: 1_700_000_000_000,
  nextTryAt: 1_700_000_060_000,
  validUntil: 1_700_600_000_000,
  requestId: 'r-1',
  etag: 'W/"a=b"',
  sequenceNumbers: ['12', '-7'],
  reason: 'HTTP 503 overloaded: a=b',
};

describe('the status of a watcher', () => {
  it('is written in lines of name=value, in seconds', () => {
    expect(formatStatus(STATUS)).toBe(
      'state=waiting\nwrittenAt=1700000000\nnextTryAt=1700000060\nvalidUntil=1700600000\nrequestId=r-1\n' +
        'etag=W/"a=b"\nsequenceNumbers=12,-7\nreason=HTTP 503 overloaded: a=b\n',
    );
  });

  it.each<[string, Partial<WatchStatus>]>([
    ['everything', {}],
    ['no end and no numbers', { validUntil: undefined, sequenceNumbers: [], reason: '', etag: '' }],
  ])('can be read again with %s', (_name, change) => {
    const status = { ...STATUS, ...change };
    expect(parseStatus(formatStatus(status))).toEqual(status);
  });

  it('never says that a token lives longer than it does, or that a try is earlier than it is', () => {
    const text = formatStatus({ ...STATUS, validUntil: 1999, nextTryAt: 1001 });
    expect(text).toContain('validUntil=1\n');
    expect(text).toContain('nextTryAt=2\n');
  });

  it('keeps to its lines whatever the reason says', () => {
    expect(formatStatus({ ...STATUS, reason: 'a\nstate=ok\r\nb' })).toContain('\nreason=a state=ok b\n');
  });

  it.each(['', 'state=fine\n', 'hello', '=\n'])('is not %j', (text) => {
    expect(parseStatus(text)).toBeUndefined();
  });

  it('takes odd values for none', () => {
    const text = 'state=ok\nwrittenAt=soon\nvalidUntil=-1\nsequenceNumbers=1;2\n';
    expect(parseStatus(text)).toMatchObject({ writtenAt: 0, validUntil: undefined, sequenceNumbers: [] });
  });
});
