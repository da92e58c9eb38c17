import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { applyOptions, loadServeConfig, type ServeOptions } from './load-serve-config.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-config-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function load(yaml: string, options: ServeOptions = {}) {
  const config = join(folder, 'kerbridge.yaml');
  await writeFile(config, yaml);
  return await loadServeConfig({ config, ...options });
}

const FILE = `
listen: { port: 1000, allowPlainHttp: true }
log: { level: warn }
clusters:
  - { name: first, hadoopConf: /file/conf, keytab: /file/keytab, renewer: me }
  - { name: second, hadoopConf: /second/conf, keytab: /second/keytab }
`;

describe('loadServeConfig', () => {
  it('lets options win over the file, key by key', async () => {
    const result = await load(FILE, {
      hadoopConf: '/option/conf',
      principal: 'p@R',
      kubeconfig: '/k',
      listen: '0.0.0.0:2000',
      adminListen: '3000',
      logLevel: 'debug',
    });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const { config } = result;
    expect(config.listen).toMatchObject({ address: '0.0.0.0', port: 2000 });
    expect(config.admin).toEqual({ address: '127.0.0.1', port: 3000 });
    expect(config.logLevel).toBe('debug');
    expect(config.kubernetes.kubeconfig).toBe('/k');
    expect(config.clusters[0]).toMatchObject({
      name: 'first',
      hadoopConf: '/option/conf',
      keytab: '/file/keytab',
      principal: 'p@R',
      renewer: 'me',
    });
    expect(config.clusters[1]).toMatchObject({
      name: 'second',
      hadoopConf: '/second/conf',
      principal: undefined,
    });
  });

  it('needs no file: the options make a cluster named default', async () => {
    const result = await loadServeConfig({ hadoopConf: 'conf', keytab: '/k' });
    expect(result.ok ? result.config.clusters : []).toEqual([
      expect.objectContaining({ name: 'default', hadoopConf: resolve('conf'), keytab: '/k' }),
    ]);
  });

  it.each([
    [
      'a file that is not there',
      { config: '/nowhere/kerbridge.yaml' },
      /cannot read .*\/nowhere\/kerbridge.yaml: ENOENT/,
    ],
    ['a folder', { config: '/' }, /cannot read .*EISDIR/],
    ['an address without a port', { listen: '127.0.0.1' }, /^--listen: write address:port/],
    ['two bad addresses', { listen: 'x', adminListen: 'y' }, /--listen: .*\n--admin-listen: /],
  ])('rejects for %s', async (_name, options, message) => {
    await expect(loadServeConfig(options)).rejects.toThrow(message);
  });

  it.each([
    ['a list', '- a', /kerbridge\.yaml: want a mapping/],
    ['a text', 'hello', /want a mapping/],
    ['broken YAML', 'a: [', /kerbridge\.yaml: not valid YAML/],
  ])('rejects a file with %s', async (_name, yaml, message) => {
    await expect(load(yaml)).rejects.toThrow(message);
  });

  it('leaves what has another shape for the schema to refuse', () => {
    expect(applyOptions({ listen: 5, clusters: {} }, { listen: '1', keytab: '/k' })).toEqual({
      listen: 5,
      clusters: {},
    });
  });
});
