import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DecorateOptions, loadDecorateConfig } from './load-decorate-config.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-config-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function load(yaml: string, options: DecorateOptions = {}) {
  const config = join(folder, 'decorate.yaml');
  await writeFile(config, yaml);
  return await loadDecorateConfig({ config, ...options });
}

const FILE = `
listen: { address: 127.0.0.1, port: 1000 }
log: { level: warn }
tls: { files: { certFile: /a, keyFile: /b } }
signing: { keysFile: /c }
`;

describe('loadDecorateConfig', () => {
  it('lets options win over the file, key by key', async () => {
    const result = await load(FILE, {
      kubeconfig: 'k',
      listen: '2000',
      adminListen: '127.0.0.2:3000',
      logLevel: 'debug',
      auditOnly: true,
    });
    expect(result).toMatchObject({
      ok: true,
      config: {
        listen: { address: '127.0.0.1', port: 2000 },
        admin: { address: '127.0.0.2', port: 3000 },
        kubernetes: { kubeconfig: resolve('k') },
        logLevel: 'debug',
        auditOnly: true,
      },
    });
  });

  it.each([
    [FILE, false],
    [`${FILE}auditOnly: true\n`, true],
  ])('leaves what no option says (%#)', async (text, auditOnly) => {
    expect(await load(text)).toMatchObject({ ok: true, config: { auditOnly, logLevel: 'warn' } });
  });

  it('says what is missing without a file', async () => {
    const result = await loadDecorateConfig({});
    expect(result.ok ? [] : result.problems.map(({ path }) => path).toSorted()).toEqual(['signing', 'tls']);
  });

  it.each([
    ['a file that is not there', { config: '/nowhere/d.yaml' }, /cannot read .*\/nowhere\/d.yaml: ENOENT/],
    ['two bad addresses', { listen: 'x', adminListen: 'y' }, /--listen: .*\n--admin-listen: /],
  ])('rejects for %s', async (_title, options, message) => {
    await expect(loadDecorateConfig(options)).rejects.toThrow(message);
  });

  it('rejects for a file that holds a list', async () => {
    await expect(load('- a')).rejects.toThrow(/decorate\.yaml: want a mapping/);
  });
});
