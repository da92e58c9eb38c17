import { describe, expect, it } from '@jest/globals';

import { hadoopConfDirectory } from '../../../test/fakes/hadoop-conf.ts';
import {
  hadoopClusterConfiguration,
  type HadoopClusterConfiguration,
} from './hadoop-cluster-configuration.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { HadoopProperties } from './hadoop-properties.ts';
import { readConfiguration } from './read-configuration.ts';
import { webHdfsEndpoints, type WebHdfsEndpoint } from './webhdfs-endpoints.ts';

const of = (properties: Record<string, string>): HadoopClusterConfiguration =>
  hadoopClusterConfiguration(HadoopProperties.of({ 'fs.defaultFS': 'hdfs://nn', ...properties }));

const endpoints = (
  cluster: HadoopClusterConfiguration,
  allowPlainHttp = false,
): readonly (readonly WebHdfsEndpoint[])[] =>
  cluster.nameservices.map((nameservice) => webHdfsEndpoints(cluster, nameservice, { allowPlainHttp }));

describe('webHdfsEndpoints', () => {
  it('gives one for each NameNode, HTTPS if there is both', async () => {
    const { properties } = await readConfiguration(hadoopConfDirectory('ha'));
    for (const allowPlainHttp of [false, true]) {
      expect(endpoints(hadoopClusterConfiguration(properties), allowPlainHttp)).toEqual([
        [
          {
            nameNodeId: 'nn1',
            baseUrl: 'https://nn1.example.com:19871/webhdfs/v1',
            spnHost: 'nn1.example.com',
          },
          {
            nameNodeId: 'nn2',
            baseUrl: 'https://nn2.example.com:9871/webhdfs/v1',
            spnHost: 'nn2.example.com',
          },
          {
            nameNodeId: 'nn3',
            baseUrl: 'https://nn3.example.com:9871/webhdfs/v1',
            spnHost: 'nn3.example.com',
          },
        ],
      ]);
    }
  });

  it.each([
    ['HTTPS_ONLY', false, 'https://nn:9871/webhdfs/v1'],
    ['HTTPS_ONLY', true, 'https://nn:9871/webhdfs/v1'],
    ['HTTP_AND_HTTPS', true, 'https://nn:9871/webhdfs/v1'],
    ['HTTP_ONLY', true, 'http://nn:9870/webhdfs/v1'],
  ])('with %s and allowPlainHttp %s gives %s', (policy, allowPlainHttp, baseUrl) => {
    const found = endpoints(of({ 'dfs.http.policy': policy }), allowPlainHttp);
    expect(found).toMatchObject([[{ baseUrl }]]);
  });

  it('puts IPv6 addresses in brackets', () => {
    const cluster = of({ 'fs.defaultFS': 'hdfs://[2001:db8::1]', 'dfs.http.policy': 'HTTPS_ONLY' });
    expect(endpoints(cluster)).toMatchObject([[{ baseUrl: 'https://[2001:db8::1]:9871/webhdfs/v1' }]]);
  });

  it.each<[string, Record<string, string>, boolean, string, RegExp]>([
    ['plain HTTP', { 'dfs.http.policy': 'HTTP_ONLY' }, false, 'dfs.http.policy', /allowPlainHttp: true/],
    ['plain HTTP by default', {}, false, 'dfs.http.policy', /HTTPS_ONLY or HTTP_AND_HTTPS/],
    [
      'WebHDFS that is off',
      { 'dfs.webhdfs.enabled': 'false' },
      true,
      'dfs.webhdfs.enabled',
      /set it to true/,
    ],
    [
      'an HTTP port that the server chooses',
      { 'dfs.namenode.http-address': 'nn:0' },
      true,
      'dfs.namenode.http-address',
      /fixed port/,
    ],
    [
      'an HTTPS port that the server chooses',
      { 'dfs.http.policy': 'HTTPS_ONLY', 'dfs.namenode.https-address': '0.0.0.0:0' },
      false,
      'dfs.namenode.https-address',
      /fixed port/,
    ],
  ])('refuses %s', (_, properties, allowPlainHttp, property, message) => {
    let error: unknown;
    try {
      endpoints(of(properties), allowPlainHttp);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(HadoopConfigurationError);
    expect(error).toMatchObject({ property, message: expect.stringMatching(message) });
  });

  it('does not mind a port 0 that is not used', () => {
    const cluster = of({ 'dfs.http.policy': 'HTTPS_ONLY', 'dfs.namenode.http-address': 'nn:0' });
    expect(endpoints(cluster)).toHaveLength(1);
  });
});
