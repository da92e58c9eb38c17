import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { exitOnUnforeseen, shutdownSignal } from './end-of-service.ts';

function start() {
  const exits: number[] = [];
  const service = Object.assign(new EventEmitter(), { exit: (code: number) => exits.push(code) });
  return { exits, service, ...observedRefusals() };
}

describe('shutdownSignal', () => {
  it.each(['SIGTERM', 'SIGINT'])('resolves with %s and ends nothing', async (signal) => {
    const { service, logger, exits, log } = start();
    const asked = shutdownSignal(logger, service);
    service.emit(signal, signal);
    await expect(asked).resolves.toBe(signal);
    expect({ exits, lines: log() }).toEqual({ exits: [], lines: [] });
  });

  it('ends at once when it is asked a second time', () => {
    const { service, logger, exits, log } = start();
    void shutdownSignal(logger, service);
    service.emit('SIGTERM', 'SIGTERM');
    service.emit('SIGINT', 'SIGINT');
    expect(exits).toEqual([1]);
    expect(log()).toMatchObject([{ level: 'warn', signal: 'SIGINT' }]);
  });
});

describe('exitOnUnforeseen', () => {
  it.each(['uncaughtException', 'unhandledRejection'])('ends with 1 and a line at an %s', (event) => {
    const { service, logger, exits, log } = start();
    exitOnUnforeseen(logger, service);
    expect(exits).toEqual([]);
    service.emit(event, new Error('broken'));
    expect(exits).toEqual([1]);
    expect(log()).toMatchObject([{ level: 'error', event, error: { message: 'broken' } }]);
  });
});
