import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { HttpServer } from './http-server.ts';

const start = (listener: RequestListener) =>
  new HttpServer({ listener, refusals: observedRefusals().refusals });

const ANYWHERE = { address: '127.0.0.1', port: 0 };

async function ask(port: number, agent: Agent | undefined): Promise<IncomingMessage> {
  const sent = get({ host: '127.0.0.1', port, ...(agent === undefined ? {} : { agent }) });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

describe('HttpServer', () => {
  it('rejects with the code of the system when the port is taken', async () => {
    const clock = new FakeClock();
    const first = start(() => undefined);
    const { port } = await first.listen(ANYWHERE);
    const second = start(() => undefined);
    await expect(second.listen({ ...ANYWHERE, port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await first.stop(0, clock);
  });

  it('answers what is under way, then ends a connection that would be kept', async () => {
    const clock = new FakeClock();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const server = start((_request, response) => {
      asked.resolve();
      void answer.promise.then(() => response.end('done'));
    });
    const { port } = await server.listen(ANYWHERE);
    const agent = new Agent({ keepAlive: true });
    const response = ask(port, agent);
    await asked.promise;
    const stopped = server.stop(1_000, clock);
    await settle();
    answer.resolve();
    expect((await response).headers['connection']).toBe('close');
    expect(await stopped).toBe(0);
    expect(clock.sleeping).toBe(0);
    await expect(ask(port, undefined)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    agent.destroy();
  });

  it('closes connections that ask nothing at once', async () => {
    const clock = new FakeClock();
    const server = start((_request, response) => response.end('done'));
    const { port } = await server.listen(ANYWHERE);
    const agent = new Agent({ keepAlive: true });
    await ask(port, agent);
    expect(await server.stop(1_000, clock)).toBe(0);
    agent.destroy();
  });

  it('cuts off what takes longer than the grace period, and counts it', async () => {
    const clock = new FakeClock();
    const asked = Promise.withResolvers<void>();
    const server = start(() => asked.resolve());
    const { port } = await server.listen(ANYWHERE);
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await asked.promise;
    const stopped = server.stop(1_000, clock);
    const closed = once(socket, 'close');
    await clock.advance(999);
    expect(socket.destroyed).toBe(false);
    await clock.advance(1);
    expect(await stopped).toBe(1);
    await closed;
  });

  it('takes new connections while it drains, and ends each with its answer', async () => {
    const clock = new FakeClock();
    const server = start((_request, response) => response.end('done'));
    const { port } = await server.listen(ANYWHERE);
    server.startDraining();
    const agent = new Agent({ keepAlive: true });
    const { statusCode, headers } = await ask(port, agent);
    expect({ statusCode, connection: headers['connection'] }).toEqual({
      statusCode: 200,
      connection: 'close',
    });
    expect(await server.stop(1_000, clock)).toBe(0);
    await expect(ask(port, undefined)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    agent.destroy();
  });
});
