import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createSourceAddress, type RequestWithAddress } from './source-address.ts';

const TRUSTED = ['10.1.0.0/16', '192.0.2.7', 'fd00:1::/32', '2001:db8::7'];
const PROXY = '10.1.0.1';

const from = (remoteAddress: string | undefined, ...lines: string[]): RequestWithAddress => ({
  socket: { remoteAddress },
  headersDistinct: lines.length === 0 ? {} : { 'x-forwarded-for': lines },
});

const sourceAddress = createSourceAddress({ trustedProxies: TRUSTED });

describe('the source address', () => {
  it.each([
    ['a connection that is gone', undefined],
    ['no address', ''],
    ['an address that means something else on every host', 'fe80::1%eth0'],
    ['a Unix socket', '/run/kerbridge.sock'],
  ])('is unknown for %s [source-address-peer-unknown]', (_name, peer) => {
    expect(sourceAddress(from(peer, '203.0.113.9'))).toBeUndefined();
  });

  it.each([
    ['a pod that names another one', '10.2.0.5', ['10.2.0.9']],
    ['a pod that names a proxy', '10.2.0.5', ['10.2.0.9, 10.1.0.1']],
    ['several lines', '10.2.0.5', ['10.2.0.9', '10.1.0.1']],
    ['the neighbour of a proxy', '192.0.2.8', ['10.2.0.9']],
    ['the neighbour of a range', '10.0.255.255', ['10.2.0.9']],
    ['an address of IPv6 that ends like a proxy', '::10.1.0.1', ['10.2.0.9']],
    ['another range of IPv6', 'fd00:2::1', ['10.2.0.9']],
    ['no address in it', '10.2.0.5', ['unknown']],
    ['more hops than are read', '10.2.0.5', [Array(40).fill('10.2.0.9').join(',')]],
  ])('of what is no trusted proxy is its own: %s [source-address-peer-untrusted]', (_name, peer, lines) => {
    expect(sourceAddress(from(peer, ...lines))).toBe(peer);
  });

  it('of what is no trusted proxy depends on no header [source-address-peer-untrusted]', () => {
    const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constantFrom(...TRUSTED, PROXY));
    const lines = fc.array(fc.array(hop).map((hops) => hops.join(', ')));
    fc.assert(
      fc.property(fc.constantFrom('10.2.0.5', 'fd00:2::5', '127.0.0.1'), lines, (peer, given) => {
        expect(sourceAddress(from(peer, ...given))).toBe(peer);
      }),
    );
  });

  it.each([
    ['an empty header', ['']],
    ['spaces', ['  ']],
    ['an empty entry at the end', ['10.2.0.5,']],
    ['an empty entry between', ['10.2.0.5,,10.1.0.2']],
    ['an empty line at the end', ['10.2.0.5', '']],
    ['a name', ['unknown']],
    ['a name behind a proxy', ['localhost, 10.1.0.2']],
    ['a port', ['10.2.0.5:4711']],
    ['brackets and a port', ['[2001:db8::5]:4711']],
    ['brackets', ['[2001:db8::5]']],
    ['a zone', ['fe80::5%eth0']],
    ['quotes', ['"10.2.0.5"']],
    ['the syntax of RFC 7239', ['for=10.2.0.5']],
    ['a range', ['10.2.0.0/16']],
    ['leading zeros', ['010.2.0.5']],
    ['three parts', ['10.2.5']],
    ['a number', ['167903237']],
    ['a semicolon', ['10.2.0.9;10.2.0.5']],
    ['two in one', ['10.2.0.9 10.2.0.5']],
  ])('behind a trusted proxy is unknown with %s in it [forwarded-for-malformed]', (_name, lines) => {
    expect(sourceAddress(from(PROXY, ...lines))).toBeUndefined();
  });

  it('behind more than 32 hops is unknown, however they are written [forwarded-for-too-long]', () => {
    const hops = (count: number) => Array<string>(count).fill('10.2.0.5');
    expect(sourceAddress(from(PROXY, hops(33).join(',')))).toBeUndefined();
    expect(sourceAddress(from(PROXY, ...hops(33)))).toBeUndefined();
    expect(sourceAddress(from(PROXY, `${','.repeat(10_000)}10.2.0.5`))).toBeUndefined();
    expect(sourceAddress(from(PROXY, hops(32).join(',')))).toBe('10.2.0.5');
  });

  it.each([
    ['without a proxy', '10.2.0.5', [], '10.2.0.5'],
    ['mapped into IPv6 by the socket', '::ffff:10.2.0.5', [], '10.2.0.5'],
    ['of IPv6, in the shortest form', '2001:DB8:0:0::5', [], '2001:db8::5'],
    ['behind a proxy', PROXY, ['10.2.0.5'], '10.2.0.5'],
    ['behind a proxy whose socket is mapped', '::ffff:10.1.0.1', ['10.2.0.5'], '10.2.0.5'],
    ['behind a proxy named alone', '192.0.2.7', ['10.2.0.5'], '10.2.0.5'],
    ['behind a proxy of IPv6 in a range', 'fd00:1::9', ['10.2.0.5'], '10.2.0.5'],
    ['behind a proxy of IPv6 named alone', '2001:0db8::0007', ['10.2.0.5'], '10.2.0.5'],
    ['behind two proxies', PROXY, ['10.2.0.5, 10.1.0.2'], '10.2.0.5'],
    ['behind two proxies in two lines', PROXY, ['10.2.0.5', '10.1.0.2'], '10.2.0.5'],
    ['in mapped form', PROXY, ['::ffff:10.2.0.5'], '10.2.0.5'],
    ['in long form', PROXY, ['2001:DB8::0:5'], '2001:db8::5'],
    ['with a faked one before it', PROXY, ['10.2.0.9, 10.2.0.5'], '10.2.0.5'],
    ['with a faked line before it', PROXY, ['10.2.0.9', '10.2.0.5'], '10.2.0.5'],
    ['with a faked proxy before it', PROXY, ['10.2.0.9, 10.1.0.1, 10.2.0.5'], '10.2.0.5'],
    ['with nonsense before it', PROXY, [`<script>, ,for="x", 10.2.0.5`], '10.2.0.5'],
    ['of the proxy itself, without a header', PROXY, [], PROXY],
    ['of the first proxy, if there is nobody before it', PROXY, ['10.1.0.3, 10.1.0.2'], '10.1.0.3'],
  ])('%s', (_name, peer, lines, expected) => {
    expect(sourceAddress(from(peer, ...lines))).toBe(expected);
  });

  it('behind a trusted proxy does not depend on what its client wrote', () => {
    const written = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constant(PROXY)), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(written, (hops) => {
        const faked = hops.map((hop) => hop.replaceAll(',', '')).join(',');
        expect(sourceAddress(from(PROXY, faked, '10.2.0.5'))).toBe('10.2.0.5');
        expect(sourceAddress(from(PROXY, `${faked}, 10.2.0.5, 10.1.0.9`))).toBe('10.2.0.5');
      }),
    );
  });

  it('does not confuse the families: a range that holds all mapped addresses trusts no IPv4 [source-address-peer-untrusted]', () => {
    const wide = createSourceAddress({ trustedProxies: ['::/8'] });
    expect(wide(from('10.2.0.5', '10.2.0.9'))).toBe('10.2.0.5');
    expect(wide(from('::ffff:10.2.0.5', '10.2.0.9'))).toBe('10.2.0.5');
    expect(wide(from('::2', '10.2.0.9'))).toBe('10.2.0.9');
  });

  it('of everybody is their own when no proxy is trusted [source-address-peer-untrusted]', () => {
    const direct = createSourceAddress({ trustedProxies: [] });
    expect(direct(from('127.0.0.1', '10.2.0.9'))).toBe('127.0.0.1');
    expect(direct(from('::1', '10.2.0.9'))).toBe('::1');
  });
});

describe('the source address of a request of Node', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  it.each([
    [
      'all lines of the header, in their order',
      'X-Forwarded-For: 10.2.0.9\r\nx-forwarded-for: 10.2.0.5',
      '10.2.0.5',
    ],
    [
      'an empty last line [forwarded-for-malformed]',
      'X-Forwarded-For: 10.2.0.5\r\nX-Forwarded-For:',
      undefined,
    ],
    [
      'no other header',
      'Forwarded: for=10.2.0.5\r\nX-Real-IP: 10.2.0.5\r\nX_Forwarded_For: 10.2.0.5',
      '127.0.0.1',
    ],
  ])('reads %s', async (_name, headers, expected) => {
    const server = createServer();
    ends.push(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const client = connect(address.port, '127.0.0.1');
    ends.push(() => client.destroy());
    client.write(`GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
    const [request] = (await once(server, 'request')) as [IncomingMessage];
    expect(createSourceAddress({ trustedProxies: ['127.0.0.0/8'] })(request)).toBe(expected);
  });
});
