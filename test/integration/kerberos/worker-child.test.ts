import { describe, expect, it, jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { spawnWorker, type SpawnWorker, type WorkerChild } from '../../../src/kerberos/spawn-worker.ts';
import { FakeWorkers } from '../../fakes/fake-worker-child.ts';
import { until } from './child-process.ts';

jest.setTimeout(15_000);

interface Heard {
  readonly child: WorkerChild;
  readonly messages: unknown[];
  readonly endReasons: string[];
}

const start = (spawn: SpawnWorker, environment: Readonly<Record<string, string>> = {}): Heard => {
  const messages: unknown[] = [];
  const endReasons: string[] = [];
  const child = spawn(environment, {
    message: (message) => messages.push(message),
    ended: (reason) => endReasons.push(reason),
  });
  return { child, messages, endReasons };
};

// What the parent relies on; the fake of the unit tests keeps it too.
describe.each([
  ['the real worker', (): SpawnWorker => spawnWorker],
  ['the fake', (): SpawnWorker => new FakeWorkers().spawn],
])('%s', (_, makeSpawn) => {
  it('has a process id and says nothing unasked', async () => {
    const { child, messages, endReasons } = start(makeSpawn());
    expect(child.pid).toBeGreaterThan(0);
    await turn();
    expect([messages, endReasons]).toEqual([[], []]);
    child.kill();
    await until(() => endReasons.length > 0);
  });

  it('tells of its end once, later, however often it is killed', async () => {
    const { child, endReasons } = start(makeSpawn());
    child.kill();
    child.kill();
    expect(endReasons).toEqual([]);
    await until(() => endReasons.length > 0);
    child.kill();
    await turn();
    expect(endReasons).toEqual(['it was ended by SIGKILL']);
  });

  it('takes a request after its end without a word', async () => {
    const { child, messages, endReasons } = start(makeSpawn());
    child.kill();
    await until(() => endReasons.length > 0);
    child.send({ id: 1, service: 'HTTP@localhost', principal: 'a@R' });
    await turn();
    expect([messages, endReasons]).toEqual([[], ['it was ended by SIGKILL']]);
  });
});

describe('the real worker', () => {
  it('answers a request with its number', async () => {
    const { child, messages, endReasons } = start(spawnWorker, {
      KRB5_CONFIG: '/nowhere/krb5.conf',
      KRB5CCNAME: 'FILE:/nowhere/ccache',
      KRB5_CLIENT_KTNAME: 'FILE:/nowhere/keytab',
      LC_ALL: 'C',
    });
    child.send({ id: 7, service: 'HTTP@localhost', principal: 'kerbridge@NOWHERE.TEST' });
    await until(() => messages.length > 0);
    expect(messages).toEqual([{ type: 'refused', id: 7, message: expect.any(String) }]);
    child.kill();
    await until(() => endReasons.length > 0);
  });
});
