import { describe, expect, it } from '@jest/globals';
import { parseWorkerReply, parseWorkerRequest } from './protocol.ts';

describe('parseWorkerReply', () => {
  it.each([
    [{ type: 'token', id: 3, token: 'YIIC+/==' }],
    [{ type: 'refused', id: 3, message: 'No credentials' }],
    [{ type: 'unusable', message: 'no library' }],
  ])('reads %j', (reply) => {
    expect(parseWorkerReply(reply)).toEqual(reply);
  });

  it('keeps nothing but what belongs to a reply', () => {
    expect(parseWorkerReply({ type: 'refused', id: 1, message: 'x', token: 'AAAA' })).toEqual({
      type: 'refused',
      id: 1,
      message: 'x',
    });
  });

  it.each(['refused', 'unusable'])('makes the text of %s one short line', (type) => {
    const reply = parseWorkerReply({ type, id: 1, message: `a\r\nb\u001b[31mc\0${'x'.repeat(5000)}` });
    expect(reply).toMatchObject({ message: expect.stringMatching(/^a b \[31mc x+$/u) });
    expect(JSON.stringify(reply).length).toBeLessThan(1100);
  });

  it.each([
    [null],
    [42],
    ['token'],
    [[]],
    [{}],
    [{ type: 'token', token: 'AAAA' }],
    [{ type: 'token', id: '1', token: 'AAAA' }],
    [{ type: 'token', id: 1 }],
    [{ type: 'token', id: 1, token: '' }],
    [{ type: 'token', id: 1, token: 'AA AA' }],
    [{ type: 'token', id: 1, token: 'AAAA\n' }],
    [{ type: 'token', id: 1, token: ['AAAA'] }],
    [{ type: 'refused', id: 1 }],
    [{ type: 'unusable' }],
    [{ type: 'other', id: 1, message: 'x', token: 'AAAA' }],
  ])('takes %j for no reply', (value) => {
    expect(parseWorkerReply(value)).toBeUndefined();
  });
});

describe('parseWorkerRequest', () => {
  it('reads a request', () => {
    const request = { id: 1, service: 'HTTP@nn', principal: 'a@R' };
    expect(parseWorkerRequest(request)).toEqual(request);
  });

  it.each([
    [undefined],
    [null],
    ['HTTP@nn'],
    [{ service: 'HTTP@nn', principal: 'a@R' }],
    [{ id: 1, principal: 'a@R' }],
    [{ id: 1, service: 'HTTP@nn' }],
    [{ id: 1, service: 'HTTP@nn', principal: null }],
  ])('takes %j for no request', (value) => {
    expect(parseWorkerRequest(value)).toBeUndefined();
  });
});
