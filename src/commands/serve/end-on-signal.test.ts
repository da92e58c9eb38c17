import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { endOnSignal } from './end-on-signal.ts';

function start() {
  const exits: number[] = [];
  const process = Object.assign(new EventEmitter(), { exit: (code: number) => exits.push(code) });
  return { exits, process, stop: endOnSignal(process, 7) };
}

describe('endOnSignal', () => {
  it.each(['SIGTERM', 'SIGINT'])('ends the process with %s', (signal) => {
    const { exits, process } = start();
    process.emit(signal);
    expect(exits).toEqual([7]);
  });

  it('no more once that is taken away', () => {
    const { exits, process, stop } = start();
    stop();
    process.emit('SIGTERM');
    process.emit('SIGINT');
    expect(exits).toEqual([]);
    expect(process.eventNames()).toEqual([]);
  });
});
