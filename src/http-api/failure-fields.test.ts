import { describe, expect, it } from '@jest/globals';
import { failureFields } from './failure-fields.ts';

const told = { endpoint: 'https://nn1:9871', exception: 'AuthorizationException', fix: 'start it' };
const failing = () => Object.assign(new Error('x'), { ...told, config: 'hunter2', cause: 'hunter2' });

describe('failureFields', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'x'],
    ['an object that is no error', told],
    ['an error of somebody else', new Error('x')],
    ['an error whose fix is no text', Object.assign(new Error('x'), { fix: 7 })],
    ['several errors of which there is none', new AggregateError([])],
  ])('finds nothing in %s', (_, error) => {
    expect(failureFields(error)).toEqual({});
  });

  it.each<[string, unknown]>([
    ['an error of ours', failing()],
    ['several, of the first', new AggregateError([failing(), new Error('y')])],
  ])('finds what is told in %s, and nothing else', (_, error) => {
    expect(failureFields(error)).toEqual(told);
  });
});
