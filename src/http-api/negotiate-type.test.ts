import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { acceptedType } from './create-router.ts';
import { negotiateType, TYPES } from './negotiate-type.ts';

function requestWith(accept: string | undefined): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  if (accept !== undefined) request.headers.accept = accept;
  return request;
}

describe('negotiateType', () => {
  it.each([undefined, '*/*', 'application/json', 'application/octet-stream'])(
    'takes of %j what negotiation takes of it',
    (accept) => {
      expect(negotiateType(requestWith(accept))).toBe(acceptedType(requestWith(accept), TYPES));
    },
  );

  it.each([
    ['application/octet-stream, application/json;q=0.5', 'application/octet-stream'],
    ['text/html, application/*;q=0.1', 'application/json'],
    ['APPLICATION/JSON', 'application/json'],
    ['text/html', undefined],
    ['application/json;q=0', undefined],
    ['', 'application/json'],
  ])('of %j is %s', (accept, type) => {
    expect(negotiateType(requestWith(accept))).toBe(type);
  });
});
