import { describe, expect, it } from '@jest/globals';

import { hadoopConfDirectory, lookupInHostsFile, recordedByHadoop } from '../../../test/fakes/hadoop-conf.ts';
import { hadoopClusterConfiguration } from './hadoop-cluster-configuration.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { HadoopProperties } from './hadoop-properties.ts';
import type { Nameservice } from './nameservice.ts';
import { readConfiguration } from './read-configuration.ts';
import {
  tokenServiceNames,
  type HdfsTokenKind,
  type TokenServiceNamesOptions,
} from './token-service-names.ts';

const KINDS: Readonly<Record<string, HdfsTokenKind>> = {
  hdfs: 'HDFS_DELEGATION_TOKEN',
  webhdfs: 'WEBHDFS delegation',
  swebhdfs: 'SWEBHDFS delegation',
};

describe('tokenServiceNames makes the labels that Hadoop 3.4.2 looks for', () => {
  const cases = ['plain', 'core-only', 'ha', 'federation', 'viewfs', 'router', 'virtual-ip'].flatMap((name) =>
    Object.entries(recordedByHadoop(name).services ?? {}).flatMap(([uri, services]) =>
      ([true, false] as const).map((useIp) => ({
        name,
        uri,
        useIp,
        service: services[`use_ip=${useIp}`],
      })),
    ),
  );

  it.each(cases)('$name: $uri with use_ip=$useIp', async ({ name, uri, useIp, service }) => {
    const { properties } = await readConfiguration(hadoopConfDirectory(name));
    const { nameservices } = hadoopClusterConfiguration(properties);
    const kind = KINDS[uri.split(':')[0] ?? ''] ?? 'HDFS_DELEGATION_TOKEN';
    for (const options of [{ useIp, forms: 'configured' as const }, { useIp: !useIp }]) {
      const all = await Promise.all(
        nameservices.map((nameservice) =>
          tokenServiceNames(nameservice, { ...options, kind, lookup: lookupInHostsFile }),
        ),
      );
      expect(all.flat().filter((label) => label === service)).toEqual([service]);
    }
  });
});

function nameserviceOf(properties: Record<string, string>): Nameservice {
  const [first] = hadoopClusterConfiguration(HadoopProperties.of(properties)).nameservices;
  if (first === undefined) throw new Error('no nameservice');
  return first;
}

const PLAIN = nameserviceOf({
  'fs.defaultFS': 'hdfs://NN.example.com',
  'dfs.namenode.https-address': 'web.example.com:9871',
});
const HA = nameserviceOf({
  'fs.defaultFS': 'hdfs://ns1',
  'dfs.nameservices': 'ns1',
  'dfs.ha.namenodes.ns1': 'a,b',
  'dfs.namenode.rpc-address.ns1.a': 'a:8020',
  'dfs.namenode.rpc-address.ns1.b': 'b:8020',
  'dfs.client.failover.proxy.provider.ns1': 'x.ConfiguredFailoverProxyProvider',
});

const names = async (
  nameservice: Nameservice,
  addresses: Record<string, readonly string[]>,
  options: Partial<TokenServiceNamesOptions> = {},
): Promise<readonly string[]> =>
  tokenServiceNames(nameservice, {
    kind: 'HDFS_DELEGATION_TOKEN',
    useIp: true,
    lookup: async (host) => {
      const found = addresses[host];
      if (found === undefined) throw new Error(`unexpected look-up of ${host}`);
      return found;
    },
    ...options,
  });

describe('tokenServiceNames', () => {
  it.each<[string, readonly string[], Partial<TokenServiceNamesOptions>, readonly string[]]>([
    ['both forms, the configured one first', ['10.0.0.1'], {}, ['10.0.0.1:8020', 'nn.example.com:8020']],
    ['both forms by host', ['10.0.0.1'], { useIp: false }, ['nn.example.com:8020', '10.0.0.1:8020']],
    ['addresses only', ['10.0.0.1'], { forms: 'configured' }, ['10.0.0.1:8020']],
    ['hosts only', [], { useIp: false, forms: 'configured' }, ['nn.example.com:8020']],
    [
      'several addresses in an order that does not depend on DNS',
      ['10.0.0.2', '10.0.0.1', '10.0.0.2'],
      { forms: 'configured' },
      ['10.0.0.1:8020', '10.0.0.2:8020'],
    ],
    ['IPv4 where there is both', ['2001:db8::1', '10.0.0.1'], { forms: 'configured' }, ['10.0.0.1:8020']],
    ['IPv6 as Java writes it', ['2001:db8::1'], { forms: 'configured' }, ['2001:db8:0:0:0:0:0:1:8020']],
    [
      'no address with a zone',
      ['fe80::1%eth0', '2001:db8::1'],
      { forms: 'configured' },
      ['2001:db8:0:0:0:0:0:1:8020'],
    ],
    ['an IPv4 address in IPv6 clothes', ['::ffff:10.0.0.1'], { forms: 'configured' }, ['10.0.0.1:8020']],
    [
      'the host alone if it has no address and use_ip is false',
      [],
      { useIp: false },
      ['nn.example.com:8020'],
    ],
  ])('gives %s', async (_, addresses, options, expected) => {
    expect(await names(PLAIN, { 'nn.example.com': addresses }, options)).toEqual(expected);
  });

  it.each<[HdfsTokenKind, readonly string[], string]>([
    ['WEBHDFS delegation', ['10.0.0.1:9870', 'nn.example.com:9870'], 'ha-webhdfs:ns1'],
    ['SWEBHDFS delegation', ['10.0.0.2:9871', 'web.example.com:9871'], 'ha-swebhdfs:ns1'],
  ])('gives the web address for %s', async (kind, plain, ha) => {
    const addresses = { 'nn.example.com': ['10.0.0.1'], 'web.example.com': ['10.0.0.2'] };
    expect(await names(PLAIN, addresses, { kind })).toEqual(plain);
    expect(await names(HA, {}, { kind })).toEqual([ha]);
  });

  it.each<[string, Partial<TokenServiceNamesOptions>, readonly string[]]>([
    ['use_ip=true', {}, ['ha-hdfs:ns1', '10.0.0.1:8020', '10.0.0.2:8020', 'a:8020', 'b:8020']],
    ['use_ip=false', { useIp: false }, ['ha-hdfs:ns1', 'a:8020', 'b:8020', '10.0.0.1:8020', '10.0.0.2:8020']],
    ['addresses only', { forms: 'configured' }, ['ha-hdfs:ns1', '10.0.0.1:8020', '10.0.0.2:8020']],
  ])('gives a logical URI first, and then each NameNode: %s', async (_, options, expected) => {
    expect(await names(HA, { a: ['10.0.0.1'], b: ['10.0.0.2'] }, options)).toEqual(expected);
  });

  it('can do without the addresses of the NameNodes where there is a logical URI', async () => {
    expect(await names(HA, { b: ['10.0.0.2'] })).toEqual([
      'ha-hdfs:ns1',
      '10.0.0.2:8020',
      'a:8020',
      'b:8020',
    ]);
  });

  it('gives an address in the URI once', async () => {
    const nameservice = nameserviceOf({ 'fs.defaultFS': 'hdfs://10.0.0.1:9000' });
    expect(await names(nameservice, {})).toEqual(['10.0.0.1:9000']);
  });

  it('gives both texts of an IPv6 address in the URI', async () => {
    const nameservice = nameserviceOf({ 'fs.defaultFS': 'hdfs://[::1]:9000' });
    expect(await names(nameservice, {})).toEqual(['0:0:0:0:0:0:0:1:9000', '[::1]:9000']);
  });

  it('gives the override alone, each label once', async () => {
    const override = ['ha-hdfs:other', '10.0.0.9:8020', 'ha-hdfs:other'];
    expect(await names(PLAIN, {}, { override })).toEqual(['ha-hdfs:other', '10.0.0.9:8020']);
  });

  it.each([[[]], [['']], [['a b']], [['a\n']], [['ä']], [['ok', '\0']], [['x'.repeat(1025)]]])(
    'refuses the override %p',
    async (override) => {
      await expect(names(PLAIN, {}, { override })).rejects.toThrow(HadoopConfigurationError);
    },
  );

  it.each([
    ['none', { 'nn.example.com': [] }],
    ['only one with a zone', { 'nn.example.com': ['fe80::1%eth0'] }],
    ['something else', { 'nn.example.com': ['nn.example.com'] }],
    ['a failure', {}],
  ])('refuses a host whose addresses are %s if clients go by address', async (_, addresses) => {
    const error: unknown = await names(PLAIN, addresses).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HadoopConfigurationError);
    expect(error).toMatchObject({
      property: 'hadoop.security.token.service.use_ip',
      message: expect.stringMatching(/nn\.example\.com.*fix its DNS entry/),
    });
    expect(error).not.toHaveProperty('cause');
  });

  describe('when DNS fails', () => {
    const failing = (code: string, times: number) => {
      const calls: string[] = [];
      const lookup = async (host: string): Promise<readonly string[]> => {
        calls.push(host);
        if (calls.length <= times) throw Object.assign(new Error(`getaddrinfo ${code}`), { code });
        return ['10.0.0.1'];
      };
      return { calls, lookup };
    };
    const pauses: number[] = [];
    const clock = {
      sleep: async (ms: number): Promise<void> => {
        pauses.push(ms);
      },
    };

    it('for a moment, asks again', async () => {
      const { calls, lookup } = failing('EAI_AGAIN', 3);
      expect(await names(PLAIN, {}, { lookup, clock })).toEqual(['10.0.0.1:8020', 'nn.example.com:8020']);
      expect([calls.length, pauses]).toEqual([4, [500, 1000, 2000]]);
    });

    it('for long, says so', async () => {
      const { calls, lookup } = failing('EAI_AGAIN', 99);
      await expect(names(PLAIN, {}, { lookup })).rejects.toThrow(
        /DNS does not answer for nn\.example\.com .*\(EAI_AGAIN\), asked 4 times/,
      );
      expect(calls).toHaveLength(4);
    });

    it('because there is no such name, asks once and says so', async () => {
      const { calls, lookup } = failing('ENOTFOUND', 99);
      await expect(names(PLAIN, {}, { lookup })).rejects.toThrow(
        /nn\.example\.com .* has no IP address \(ENOTFOUND\)/,
      );
      expect(calls).toHaveLength(1);
    });
  });
});
