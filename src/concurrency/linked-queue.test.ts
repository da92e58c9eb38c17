import { expect, it } from '@jest/globals';

import { LinkedQueue } from './linked-queue.ts';

const drain = (
  queue: LinkedQueue<string>,
  links: ReadonlyMap<string, Parameters<typeof queue.remove>[0]>,
) => {
  const order: string[] = [];
  for (let { first } = queue; first !== undefined; { first } = queue) {
    order.push(first);
    const link = links.get(first);
    if (link === undefined) throw new Error('unknown');
    queue.remove(link);
  }
  return order.join('');
};

it.each([
  ['nobody', '', 'abcd'],
  ['the first', 'a', 'bcd'],
  ['the last', 'd', 'abc'],
  ['one between', 'b', 'acd'],
  ['all but one', 'bda', 'c'],
  ['all', 'badc', ''],
])('keeps the order when %s leaves', (_, leaving, staying) => {
  const queue = new LinkedQueue<string>();
  const links = new Map(['a', 'b', 'c', 'd'].map((value) => [value, queue.append(value)]));
  for (const value of leaving) {
    const link = links.get(value);
    if (link !== undefined) queue.remove(link);
  }
  expect([queue.size, queue.first, queue.last]).toEqual([staying.length, staying[0], staying.at(-1)]);
  links.set('e', queue.append('e'));
  expect(queue.last).toBe('e');
  expect(drain(queue, links)).toEqual(`${staying}e`);
  expect([queue.size, queue.first, queue.last]).toEqual([0, undefined, undefined]);
});
