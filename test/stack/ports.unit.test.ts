import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { choosePorts, isPortFree, parsePort, portNames } from './ports.ts';
import type { PortChoice } from './ports.ts';
import { UsageError } from './usage-error.ts';

const choice = (change: Partial<PortChoice> = {}): PortChoice => ({
  remembered: {},
  pinned: {},
  inUse: new Set(),
  isFree: () => Promise.resolve(true),
  seed: '/stack',
  ephemeralFrom: 32_768,
  ...change,
});
const taken =
  (...ports: number[]) =>
  (port: number): Promise<boolean> =>
    Promise.resolve(!ports.includes(port));

describe('parsePort', () => {
  it('reads name and number', () => {
    expect(parsePort('hdfs-http=19870')).toEqual(['hdfs-http', 19_870]);
  });

  it.each([
    ['hdfs-http', 'write name=number'],
    ['', 'write name=number'],
    ['kdc=1=2', 'write name=number'],
    ['web=80', 'unknown port "web"; the ports are kdc, '],
    ['=80', 'unknown port ""'],
    ['toString=80', 'unknown port "toString"'],
    ['kdc=', 'port kdc: not a port number: ""'],
    ['kdc=0', 'not a port number'],
    ['kdc=088', 'not a port number'],
    ['kdc=65536', 'not a port number'],
    ['kdc=-1', 'not a port number'],
    ['kdc=1e3', 'not a port number'],
    ['kdc= 88', 'not a port number'],
  ])('refuses %j', (text, says) => {
    expect(() => parsePort(text)).toThrow(says);
  });
});

describe('choosePorts', () => {
  it('finds a different free port below the ephemeral range for every name', async () => {
    const free = new Set<number>();
    const ports = await choosePorts(
      choice({
        isFree: (port) => {
          if (port % 3 === 0) {
            free.add(port);
          }
          return Promise.resolve(port % 3 === 0);
        },
      }),
    );
    const numbers = portNames.map((name) => ports[name]);
    expect(new Set(numbers).size).toBe(portNames.length);
    expect(numbers.every((port) => free.has(port) && port < 32_768 && port >= 15_000)).toBe(true);
  });

  it('starts at another place for another folder', async () => {
    const one = await choosePorts(choice());
    const other = await choosePorts(choice({ seed: '/other' }));
    expect(other.kdc).not.toBe(one.kdc);
  });

  it('keeps what is remembered', async () => {
    const first = await choosePorts(choice());
    expect(await choosePorts(choice({ remembered: first, seed: '/other' }))).toEqual(first);
  });

  it('replaces a remembered port that somebody else took', async () => {
    const first = await choosePorts(choice());
    const second = await choosePorts(choice({ remembered: first, isFree: taken(first.kdc) }));
    expect(second.kdc).not.toBe(first.kdc);
    expect({ ...second, kdc: 0 }).toEqual({ ...first, kdc: 0 });
  });

  it('keeps a port its own running part listens on', async () => {
    const first = await choosePorts(choice());
    const second = await choosePorts(
      choice({ remembered: first, isFree: taken(first.kdc), inUse: new Set([first.kdc]) }),
    );
    expect(second).toEqual(first);
  });

  it('gives way when a remembered port is now asked for under another name', async () => {
    const first = await choosePorts(choice());
    const second = await choosePorts(choice({ remembered: first, pinned: { 'etcd-peer': first.kdc } }));
    expect(second['etcd-peer']).toBe(first.kdc);
    expect(second.kdc).not.toBe(first.kdc);
  });

  it('refuses a pinned port that is taken, even one that an earlier run pinned', async () => {
    const pinned = { kdc: 17_000 };
    await expect(choosePorts(choice({ pinned, remembered: pinned, isFree: taken(17_000) }))).rejects.toThrow(
      'port kdc: 17000 on 127.0.0.1 is taken',
    );
  });

  it('refuses one number for two names', async () => {
    const pinned = { kdc: 17_000, 'hdfs-rpc': 17_000 };
    const choosing = choosePorts(choice({ pinned }));
    await expect(choosing).rejects.toThrow(UsageError);
    await expect(choosing).rejects.toThrow('port 17000 is asked for twice: kdc and hdfs-rpc');
  });

  it('ends when nothing is free', async () => {
    await expect(choosePorts(choice({ isFree: () => Promise.resolve(false) }))).rejects.toThrow(
      'no free port',
    );
  });
});

describe('isPortFree', () => {
  it.each(['127.0.0.1', '0.0.0.0'])(
    'says no while a server listens on %s, and yes afterwards',
    async (host) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, host, resolve));
      const { port } = server.address() as AddressInfo;
      expect(await isPortFree(port)).toBe(false);
      await new Promise((resolve) => server.close(resolve));
      expect(await isPortFree(port)).toBe(true);
    },
  );
});
