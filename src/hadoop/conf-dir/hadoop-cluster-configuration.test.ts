import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { hadoopConfDirectory } from '../../../test/fakes/hadoop-conf.ts';
import {
  hadoopClusterConfiguration,
  type HadoopClusterConfiguration,
} from './hadoop-cluster-configuration.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { HadoopProperties } from './hadoop-properties.ts';
import type { Nameservice } from './nameservice.ts';
import { readConfiguration } from './read-configuration.ts';

const ofDirectory = async (name: string): Promise<HadoopClusterConfiguration> =>
  hadoopClusterConfiguration((await readConfiguration(hadoopConfDirectory(name))).properties);

const of = (properties: Record<string, string>): HadoopClusterConfiguration =>
  hadoopClusterConfiguration(HadoopProperties.of(properties));

function failure(properties: Record<string, string>): HadoopConfigurationError {
  try {
    of(properties);
  } catch (error) {
    if (error instanceof HadoopConfigurationError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

/** `name: id=rpc|http|https|spn ...` */
const summary = ({ name, nameNodes }: Nameservice): string =>
  `${name}: ${nameNodes
    .map(
      (n) =>
        `${n.id}=${n.rpcHost}:${n.rpcPort}|${n.httpHost}:${n.httpPort}|${n.httpsHost}:${n.httpsPort}|${n.spnHost}`,
    )
    .join(' ')}`;

const FAILOVER = 'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider';
const HA = {
  'fs.defaultFS': 'hdfs://ns1',
  'dfs.nameservices': 'ns1',
  'dfs.ha.namenodes.ns1': 'a,b',
  'dfs.namenode.rpc-address.ns1.a': 'a.example.com:8020',
  'dfs.namenode.rpc-address.ns1.b': 'b.example.com:8020',
  'dfs.client.failover.proxy.provider.ns1': FAILOVER,
};
const PLAIN = { 'fs.defaultFS': 'hdfs://nn.example.com:8020' };

describe('hadoopClusterConfiguration of a directory', () => {
  it('reads one NameNode', async () => {
    expect(await ofDirectory('plain')).toEqual({
      defaultFs: 'hdfs://NN1.example.com:8020',
      securityEnabled: true,
      useIp: true,
      httpPolicy: 'HTTPS_ONLY',
      webHdfsEnabled: true,
      keyProviderUri: 'kms://https@kms1.example.com;kms2.example.com:9600/kms',
      nameservices: [
        {
          name: 'nn1.example.com:8020',
          ha: false,
          logicalUri: false,
          authorities: [{ host: 'nn1.example.com', port: 8020 }],
          nameNodes: [
            {
              id: 'nn1.example.com:8020',
              rpcHost: 'nn1.example.com',
              rpcPort: 8020,
              httpHost: 'nn1.example.com',
              httpPort: 9870,
              httpsHost: 'nn1.example.com',
              httpsPort: 9871,
              spnHost: 'nn1.example.com',
            },
          ],
        },
      ],
      externalNameservices: [],
      warnings: [],
    });
  });

  it('reads a core-site.xml that says next to nothing', async () => {
    const cluster = await ofDirectory('core-only');
    expect(cluster).toMatchObject({
      defaultFs: 'hdfs://nn.example.com',
      securityEnabled: false,
      useIp: false,
      httpPolicy: 'HTTP_ONLY',
    });
    expect(cluster).not.toHaveProperty('keyProviderUri');
    expect(cluster.nameservices.map((nameservice) => nameservice.name)).toEqual(['nn.example.com:8020']);
  });

  it('reads high availability with an observer whose web addresses are not set', async () => {
    const cluster = await ofDirectory('ha');
    expect(cluster).toMatchObject({ securityEnabled: true, httpPolicy: 'HTTP_AND_HTTPS', warnings: [] });
    expect(cluster.nameservices).toMatchObject([{ ha: true, logicalUri: true, authorities: [] }]);
    expect(cluster.nameservices.map(summary)).toEqual([
      'ns1: nn1=nn1.example.com:8020|nn1.example.com:9870|nn1.example.com:19871|nn1.example.com ' +
        'nn2=nn2.example.com:8020|nn2.example.com:9870|nn2.example.com:9871|nn2.example.com ' +
        'nn3=nn3.example.com:8020|nn3.example.com:9870|nn3.example.com:9871|nn3.example.com',
    ]);
  });

  it('reads federation, the default file system first, other clusters apart', async () => {
    const cluster = await ofDirectory('federation');
    expect(cluster.externalNameservices).toEqual(['remote']);
    expect(cluster.nameservices.map(({ ha }) => ha)).toEqual([true, false]);
    expect(cluster.nameservices.map(summary)).toEqual([
      'prod: nn1=nn1.example.com:8020|nn1.example.com:9870|nn1.example.com:9871|nn1.example.com ' +
        'nn2=nn2.example.com:8020|nn2.example.com:9870|nn2.example.com:9871|nn2.example.com',
      'nn3.example.com:9000: archive=nn3.example.com:9000|nn3.example.com:9870|nn3.example.com:9999|nn3.example.com',
    ]);
  });

  it('finds the targets of viewfs mount links', async () => {
    const { nameservices } = await ofDirectory('viewfs');
    expect(nameservices).toMatchObject([
      // The link to nn1.example.com:8020 goes to a NameNode of ns1.
      { name: 'ns1', logicalUri: true, authorities: [{ host: 'nn1.example.com', port: 8020 }] },
      { name: 'nn3.example.com:9000', logicalUri: false },
    ]);
    expect(nameservices).toHaveLength(2);
  });

  it('reads routers like NameNodes', async () => {
    expect((await ofDirectory('router')).nameservices.map(summary)).toEqual([
      'ns-fed: r1=router1.example.com:8888|router1.example.com:50071|router1.example.com:9871|router1.example.com ' +
        'r2=router2.example.com:8888|router2.example.com:50071|router2.example.com:9871|router2.example.com',
    ]);
  });

  it('reads high availability behind a virtual address', async () => {
    const { nameservices } = await ofDirectory('virtual-ip');
    expect(nameservices).toMatchObject([
      {
        name: 'vip.example.com:8020',
        ha: true,
        logicalUri: false,
        authorities: [{ host: 'vip.example.com', port: 8020 }],
        nameNodes: [{ id: 'nn1' }, { id: 'nn2' }],
      },
    ]);
    expect(nameservices).toHaveLength(1);
  });

  it.each(['plain', 'ha', 'federation', 'viewfs'])('freezes all of %s', async (name) => {
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(await ofDirectory(name))).toBe(true);
  });
});

describe('addresses', () => {
  it.each<[string, Record<string, string>, string]>([
    ['defaults', PLAIN, 'nn.example.com:8020|nn.example.com:9870|nn.example.com:9871|nn.example.com'],
    ['the old form without a scheme', { 'fs.defaultFS': 'nn:9000' }, 'nn:9000|nn:9870|nn:9871|nn'],
    ['a rooted name', { 'fs.defaultFS': 'hdfs://NN.x./' }, 'nn.x:8020|nn.x:9870|nn.x:9871|nn.x'],
    [
      'a rooted name with a port',
      { 'fs.defaultFS': 'hdfs://nn.x.:9000' },
      'nn.x:9000|nn.x:9870|nn.x:9871|nn.x',
    ],
    ['a short host', { 'fs.defaultFS': 'hdfs://NN/' }, 'nn:8020|nn:9870|nn:9871|nn'],
    [
      'IPv6',
      { 'fs.defaultFS': 'hdfs://[2001:DB8::1]:9000' },
      '2001:db8::1:9000|2001:db8::1:9870|2001:db8::1:9871|2001:db8::1',
    ],
    ['IPv6 without a port', { 'fs.defaultFS': 'hdfs://[::1]/' }, '::1:8020|::1:9870|::1:9871|::1'],
    [
      'wildcards',
      {
        ...PLAIN,
        'dfs.namenode.http-address': '0.0.0.0:50070',
        'dfs.namenode.https-address': '[::]:50470',
      },
      'nn.example.com:8020|nn.example.com:50070|nn.example.com:50470|nn.example.com',
    ],
    [
      'web addresses of their own',
      { ...PLAIN, 'dfs.namenode.http-address': 'Web:1', 'dfs.namenode.https-address': '[::2]:2' },
      'nn.example.com:8020|web:1|::2:2|web',
    ],
    [
      'an RPC address besides the default file system',
      { ...PLAIN, 'dfs.namenode.rpc-address': 'inner.example.com:9000' },
      'inner.example.com:9000|inner.example.com:9870|inner.example.com:9871|inner.example.com',
    ],
    [
      'one nameservice without suffixed keys',
      { ...PLAIN, 'dfs.nameservices': 'ns1', 'dfs.namenode.https-address': 'web:1' },
      'nn.example.com:8020|nn.example.com:9870|web:1|nn.example.com',
    ],
    [
      'one nameservice with a NameNode id but no failover',
      {
        'fs.defaultFS': 'hdfs://a.example.com',
        'dfs.nameservices': 'ns1',
        'dfs.ha.namenodes.ns1': 'a',
        'dfs.namenode.rpc-address.ns1.a': 'a.example.com:8020',
        'dfs.namenode.http-address.ns1': 'web:1',
      },
      'a.example.com:8020|web:1|a.example.com:9871|web',
    ],
  ])('%s', (_, properties, expected) => {
    const { nameservices } = of(properties);
    expect(nameservices).toHaveLength(1);
    expect(nameservices.map(summary)[0]?.replace(/^.*=/, '')).toBe(expected);
  });

  it('takes the port, not the host, of an address meant for all NameNodes of a nameservice', () => {
    const { nameservices } = of({
      ...HA,
      'dfs.namenode.https-address': '0.0.0.0:7000',
      'dfs.namenode.http-address': 'a.example.com:7001',
    });
    expect(nameservices[0]?.nameNodes).toMatchObject([
      { httpHost: 'a.example.com', httpPort: 9870, httpsHost: 'a.example.com', httpsPort: 7000 },
      { httpHost: 'b.example.com', httpPort: 9870, httpsHost: 'b.example.com', httpsPort: 7000 },
    ]);
  });

  it('counts a NameNode once, however it is named', () => {
    const { nameservices } = of({
      ...PLAIN,
      'fs.viewfs.mounttable.c.link./a': 'hdfs://nn.example.com/a',
      'fs.viewfs.mounttable.c.link./b': 'hdfs://NN.example.com:8020/b',
      'fs.viewfs.mounttable.c.linkFallback': 'hdfs://nn.example.com:8020',
    });
    expect(nameservices.map(({ name }) => name)).toEqual(['nn.example.com:8020']);
  });

  it('knows both addresses of a NameNode that is reached in two ways', () => {
    const { nameservices } = of({
      ...PLAIN,
      'dfs.namenode.rpc-address': 'inner.example.com:9000',
      'fs.viewfs.mounttable.c.link./a': 'hdfs://inner.example.com:9000/a',
    });
    expect(nameservices).toHaveLength(1);
    expect(nameservices[0]?.authorities).toEqual([
      { host: 'nn.example.com', port: 8020 },
      { host: 'inner.example.com', port: 9000 },
    ]);
  });

  it.each([
    ['fs.viewfs.mounttable.c.link./a', 'hdfs://x:1/a', ['x:1']],
    ['fs.viewfs.mounttable.c.linkMerge./a', 'hdfs://x:1/a,hdfs://y:2/a', ['x:1', 'y:2']],
    [
      'fs.viewfs.mounttable.c.linkNfly.minReplication=2./a',
      'hdfs://x:1/,s3a://b/,hdfs://y:2/',
      ['x:1', 'y:2'],
    ],
    ['fs.viewfs.mounttable.c.linkMergeSlash', 'hdfs://x:1/', ['x:1']],
    ['fs.viewfs.mounttable.c.linkRegex.#.^/a', 'hdfs://${c}:1/', []],
    ['fs.viewfs.mounttable.c.linkRegex.#.^/b', 'hdfs://x:1/$1', ['x:1']],
    ['fs.viewfs.mounttable.dotted.name.link./a', 'hdfs://x:1/a', ['x:1']],
    ['fs.viewfs.mounttable.c.homedir', 'hdfs://x:1/a', []],
    ['fs.viewfs.mounttable.c.link./a', 'file:///a', []],
  ])('finds the targets of %s=%s', (property, value, names) => {
    const cluster = hadoopClusterConfiguration(
      HadoopProperties.of({ 'fs.defaultFS': 'viewfs://c', [property]: value }),
      { requireHdfs: false },
    );
    expect(cluster.nameservices.map(({ name }) => name)).toEqual(names);
  });

  it('keeps the case of a nameservice', () => {
    const properties = Object.entries(HA).map(([name, value]) => [
      name.replace('ns1', 'Prod'),
      value.replace('ns1', 'Prod'),
    ]);
    expect(of(Object.fromEntries(properties)).nameservices).toMatchObject([{ name: 'Prod', ha: true }]);
  });

  it('takes a nameservice with one NameNode for logical if clients have a failover provider', () => {
    const { nameservices } = of({ ...HA, 'dfs.ha.namenodes.ns1': 'a' });
    expect(nameservices).toMatchObject([{ ha: true, logicalUri: true, nameNodes: [{ id: 'a' }] }]);
  });

  it('warns of high availability that clients are not set up for', () => {
    const { 'dfs.client.failover.proxy.provider.ns1': _, ...properties } = HA;
    const cluster = of(properties);
    expect(cluster.nameservices).toMatchObject([{ ha: true, logicalUri: true }]);
    expect(cluster.warnings).toMatchObject([{ property: 'dfs.client.failover.proxy.provider.ns1' }]);
  });

  it('leaves out what internal nameservices do not list, unless it is in use', () => {
    const remote = {
      'dfs.nameservices': 'ns1,remote,other',
      'dfs.internal.nameservices': 'ns1',
      'dfs.namenode.rpc-address.remote': 'remote.example.com:8020',
    };
    const names = (properties: Record<string, string>): string[] =>
      of(properties).nameservices.map(({ name }) => name);
    expect(names({ ...HA, ...remote })).toEqual(['ns1']);
    const link = { 'fs.viewfs.mounttable.c.link./r': 'hdfs://remote.example.com/' };
    expect(names({ ...HA, ...remote, ...link })).toEqual(['ns1', 'remote.example.com:8020']);
  });
});

describe('the SPN host', () => {
  const WEB = 'dfs.web.authentication.kerberos.principal';
  const INTERNAL = 'dfs.namenode.kerberos.internal.spnego.principal';
  it.each<[string, Record<string, string>, string[]]>([
    ['nothing set', {}, ['a.example.com', 'b.example.com']],
    ['_HOST', { [WEB]: 'HTTP/_HOST@EXAMPLE.COM' }, ['a.example.com', 'b.example.com']],
    ['_HOST without a realm', { [WEB]: 'HTTP/_HOST' }, ['a.example.com', 'b.example.com']],
    ['all of the keytab', { [WEB]: '*' }, ['a.example.com', 'b.example.com']],
    ['a literal host', { [WEB]: 'HTTP/VIP.example.com@EXAMPLE.COM' }, ['vip.example.com', 'vip.example.com']],
    ['a rooted host', { [WEB]: 'HTTP/vip.example.com.@R' }, ['vip.example.com', 'vip.example.com']],
    ['the internal principal', { [INTERNAL]: 'HTTP/x.example.com@R' }, ['x.example.com', 'x.example.com']],
    ['both', { [INTERNAL]: 'HTTP/x@R', [WEB]: 'HTTP/y@R' }, ['y', 'y']],
    ['a reference to nothing', { [INTERNAL]: `\${${WEB}}` }, ['a.example.com', 'b.example.com']],
    ['a reference', { [INTERNAL]: '${p}', p: 'HTTP/x@R' }, ['x', 'x']],
    ['one NameNode', { [`${WEB}.ns1.b`]: 'HTTP/x@R' }, ['a.example.com', 'x']],
    ['one nameservice', { [`${INTERNAL}.ns1`]: 'HTTP/x@R' }, ['x', 'x']],
    [
      '_HOST with a web address',
      { [WEB]: 'HTTP/_HOST@R', 'dfs.namenode.http-address.ns1.a': 'web.example.com:1' },
      ['web.example.com', 'b.example.com'],
    ],
  ])('%s', (_, properties, expected) => {
    const [nameservice] = of({ ...HA, ...properties }).nameservices;
    expect(nameservice?.nameNodes.map(({ spnHost }) => spnHost)).toEqual(expected);
  });

  it.each([
    'HTTP',
    'HTTP@R',
    'nn/_HOST@R',
    'http/_HOST@R',
    'HTTP/a/b@R',
    'HTTP/x y@R',
    'HTTP/@R',
    'HTTP/x_y@R',
  ])('refuses %s', (principal) => {
    const error = failure({ ...HA, [WEB]: principal });
    expect(error.problems).toHaveLength(1);
    expect(error.property).toBe(WEB);
    expect(error.message).toMatch(/HTTP\/_HOST@REALM/);
  });
});

describe('settings', () => {
  it.each([
    ['https_only', 'HTTPS_ONLY'],
    [' HTTP_AND_HTTPS ', 'HTTP_AND_HTTPS'],
    ['', 'HTTP_ONLY'],
  ])('takes dfs.http.policy=%p for %s', (value, expected) => {
    expect(of({ ...PLAIN, 'dfs.http.policy': value }).httpPolicy).toBe(expected);
  });

  it.each([
    ['simple', false],
    ['', false],
    ['Kerberos', true],
    ['token', true],
  ])('takes hadoop.security.authentication=%p for security %p', (value, expected) => {
    expect(of({ ...PLAIN, 'hadoop.security.authentication': value }).securityEnabled).toBe(expected);
  });

  it('takes anything but true and false for the default, as Hadoop does', () => {
    const cluster = of({
      ...PLAIN,
      'hadoop.security.token.service.use_ip': 'no',
      'dfs.webhdfs.enabled': '0',
    });
    expect(cluster).toMatchObject({ useIp: true, webHdfsEnabled: true });
  });

  it('reads the deprecated name of the key provider', () => {
    expect(of({ ...PLAIN, 'dfs.encryption.key.provider.uri': ' kms://a ' }).keyProviderUri).toBe('kms://a');
  });
});

describe('hadoopClusterConfiguration refuses', () => {
  it.each<[string, Record<string, string>, string, RegExp]>([
    ['no HDFS at all', {}, 'fs.defaultFS', /there is no HDFS/],
    [
      'another default file system alone',
      { 'fs.defaultFS': 's3a://lake' },
      'fs.defaultFS',
      /there is no HDFS/,
    ],
    ['the local file system', { 'fs.defaultFS': 'local' }, 'fs.defaultFS', /there is no HDFS/],
    ['viewfs without a mount table', { 'fs.defaultFS': 'viewfs://c' }, 'fs.defaultFS', /there is no HDFS/],
    ['a default file system without a host', { 'fs.defaultFS': 'hdfs:///' }, 'fs.defaultFS', /names no host/],
    ['a host with an underscore', { 'fs.defaultFS': 'hdfs://my_nn:8020' }, 'fs.defaultFS', /names no host/],
    ['port 0', { 'fs.defaultFS': 'hdfs://nn:0' }, 'fs.defaultFS', /names no host/],
    ['a user in the URI', { 'fs.defaultFS': 'hdfs://alice@nn:8020' }, 'fs.defaultFS', /names no host/],
    ['an unknown variable for a host', { 'fs.defaultFS': 'hdfs://[x]' }, 'fs.defaultFS', /names no host/],
    [
      'a port after a nameservice',
      { ...HA, 'fs.defaultFS': 'hdfs://ns1:8020' },
      'fs.defaultFS',
      /remove ":8020"/,
    ],
    [
      'a name that is no nameservice',
      { ...HA, 'fs.defaultFS': 'hdfs://ns2' },
      'fs.defaultFS',
      /not in dfs.nameservices \(ns1\)/,
    ],
    [
      'a nameservice that is not listed',
      { ...HA, 'dfs.nameservices': '' },
      'dfs.nameservices',
      /does not list ns1/,
    ],
    [
      'a bad name of a nameservice',
      { ...HA, 'dfs.nameservices': 'ns1,n_s' },
      'dfs.nameservices',
      /"n_s" can't stand/,
    ],
    [
      'an unknown internal nameservice',
      { ...HA, 'dfs.internal.nameservices': 'ns1,x' },
      'dfs.internal.nameservices',
      /names x/,
    ],
    [
      'a nameservice in a URI that clients take for a host',
      {
        'fs.defaultFS': 'hdfs://ns1',
        'dfs.nameservices': 'ns1',
        'dfs.namenode.rpc-address.ns1': 'nn.example.com:8020',
      },
      'fs.defaultFS',
      /dfs.client.failover.proxy.provider.ns1/,
    ],
    [
      'an RPC address that is missing',
      { ...HA, 'dfs.ha.namenodes.ns1': 'a,b,c' },
      'dfs.namenode.rpc-address.ns1.c',
      /is not set/,
    ],
    [
      'an RPC address without a port',
      { ...HA, 'dfs.namenode.rpc-address.ns1.b': 'b' },
      'dfs.namenode.rpc-address.ns1.b',
      /the port is needed/,
    ],
    [
      'a wildcard RPC address',
      { ...HA, 'dfs.namenode.rpc-address.ns1.b': '0.0.0.0:8020' },
      'dfs.namenode.rpc-address.ns1.b',
      /wildcard/,
    ],
    [
      'a web address that is none',
      { ...HA, 'dfs.namenode.https-address.ns1.b': 'b:x' },
      'dfs.namenode.https-address.ns1.b',
      /"b:x" is no address/,
    ],
    [
      'IPv6 without brackets',
      { ...PLAIN, 'dfs.namenode.http-address': '::1:9870' },
      'dfs.namenode.http-address',
      /\[address\]:port/,
    ],
    ['an unknown policy', { ...PLAIN, 'dfs.http.policy': 'HTTPS' }, 'dfs.http.policy', /HTTP_AND_HTTPS/],
    [
      'an unknown authentication',
      { ...PLAIN, 'hadoop.security.authentication': 'ldap' },
      'hadoop.security.authentication',
      /set it to kerberos/,
    ],
    [
      'a loop of variables',
      { ...PLAIN, 'dfs.http.policy': '${a}', a: '${b}', b: '${a}' },
      'dfs.http.policy',
      /loop/,
    ],
    [
      'a loop in the nameservices',
      { ...PLAIN, 'dfs.nameservices': '${a}', a: '${b}', b: '${a}' },
      'dfs.nameservices',
      /loop/,
    ],
    [
      'a loop in a mount link',
      { ...PLAIN, 'fs.viewfs.mounttable.c.link./a': '${a}', a: '${b}', b: '${a}' },
      'fs.viewfs.mounttable.c.link./a',
      /loop/,
    ],
    [
      'a mount link to nowhere',
      { ...PLAIN, 'fs.viewfs.mounttable.c.link./a': 'hdfs://x_y/' },
      'fs.viewfs.mounttable.c.link./a',
      /names no host/,
    ],
  ])('%s', (_, properties, property, message) => {
    const error = failure(properties);
    expect(error.problems).toHaveLength(1);
    expect(error.property).toBe(property);
    expect(error.message).toMatch(message);
  });

  it('several things at once, each named once', () => {
    const error = failure({
      ...HA,
      'dfs.http.policy': 'HTTPS',
      'dfs.namenode.rpc-address.ns1.a': '',
      'dfs.namenode.http-address.ns1.b': 'x',
      'fs.viewfs.mounttable.c.link./a': 'hdfs://ns1/a',
    });
    expect(error.problems.map(({ property }) => property)).toEqual([
      'dfs.http.policy',
      'dfs.namenode.rpc-address.ns1.a',
      'dfs.namenode.http-address.ns1.b',
    ]);
  });

  it('naming the file and the line', async () => {
    const { properties } = await readConfiguration(hadoopConfDirectory('ha'), { additionalFiles: [] });
    properties.define({
      name: 'dfs.http.policy',
      value: 'x',
      final: false,
      file: '/etc/hadoop/hdfs-site.xml',
      line: 9,
    });
    expect(() => hadoopClusterConfiguration(properties)).toThrow(
      '/etc/hadoop/hdfs-site.xml:9: dfs.http.policy: "X" is no policy',
    );
  });
});

it('throws nothing but HadoopConfigurationError for random values', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'ns1',
      'ns1,ns2',
      'a,b',
      'hdfs://ns1',
      'hdfs://ns1:1',
      'hdfs://x:1',
      'x:1',
      '0.0.0.0:1',
      FAILOVER,
    ),
  );
  const key = fc.constantFrom(
    ...Object.keys(HA),
    'dfs.internal.nameservices',
    'dfs.namenode.rpc-address',
    'dfs.namenode.http-address',
    'dfs.namenode.https-address.ns1',
    'dfs.web.authentication.kerberos.principal',
    'fs.viewfs.mounttable.c.link./a',
    'dfs.client.failover.proxy.provider.ns2',
  );
  fc.assert(
    fc.property(fc.dictionary(key, value), (properties) => {
      try {
        of({ ...HA, ...properties });
      } catch (error) {
        expect(error).toBeInstanceOf(HadoopConfigurationError);
      }
    }),
    { numRuns: 1000 },
  );
});
