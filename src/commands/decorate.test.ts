import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommanderError } from 'commander';
import { decorateCommand } from './decorate.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-decorate-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function decorate(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const seen = { out: '', error: '', codes: [] as number[] };
  const command = decorateCommand({
    out: (text) => {
      seen.out += text;
    },
    error: (text) => {
      seen.error += text;
    },
    exitWith: (code) => seen.codes.push(code),
  })
    .exitOverride()
    .configureOutput({
      writeErr: (text) => {
        seen.error += text;
      },
    });
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    await command.parseAsync(args, { from: 'user' });
  } finally {
    process.env = before;
  }
  return seen;
}

describe('kerbridge decorate', () => {
  it.each([[[]], [['--check-config']]])(
    'ends with 2 and all problems for a configuration that cannot work %j',
    async (extra) => {
      const { out, error, codes } = await decorate(['--kubeconfig=/nonexistent/kubeconfig', ...extra]);
      expect({ out, codes }).toEqual({ out: '', codes: [2] });
      expect(error).toMatch(/^kerbridge decorate: the configuration has 2 problem\(s\):$/m);
      expect(error).toMatch(/^ {2}tls: is required/m);
      expect(error).toMatch(/^ {2}signing: is required/m);
      expect(error).not.toMatch(/^\s+at /m);
    },
  );

  it('finds its configuration by KERBRIDGE_CONFIG, and an option wins', async () => {
    const environment = { KERBRIDGE_CONFIG: '/nonexistent/from-environment.yaml' };
    expect((await decorate([], environment)).error).toContain('/nonexistent/from-environment.yaml: ENOENT');
    const { error } = await decorate(['--config', '/nonexistent/from-option.yaml'], environment);
    expect(error).toContain('/nonexistent/from-option.yaml: ENOENT');
  });

  it('prints what follows from a configuration that can work, and starts nothing', async () => {
    const kubeconfig = {
      'current-context': 'c',
      clusters: [{ name: 'k', cluster: { server: 'https://api.example:6443' } }],
      users: [{ name: 'u', user: { token: 'hunter2' } }],
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    };
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
    const config = { tls: { ownCa: { dnsNames: ['d.k.svc'] } }, signing: { secret: { name: 'keys' } } };
    await writeFile(join(folder, 'decorate.yaml'), JSON.stringify(config));
    const { out, error, codes } = await decorate([
      `--config=${join(folder, 'decorate.yaml')}`,
      `--kubeconfig=${join(folder, 'kubeconfig')}`,
      '--listen=127.0.0.1:9000',
      '--audit-only',
      '--check-config',
    ]);
    expect({ error, codes }).toEqual({ error: '', codes: [] });
    expect(out).toMatch(/^configuration ok\nlisten: https:\/\/127\.0\.0\.1:9000\n/);
    expect(out).toMatch(/^audit only: nothing is changed or refused$/m);
    expect(out).not.toContain('hunter2');
  });

  it.each([
    [['--listen'], /argument missing/],
    [['--log-level=loud'], /Allowed choices are/],
    [['--keytab=/x'], /unknown option/],
    [['extra'], /too many arguments/],
  ])('refuses %j with its usage', async (args, message) => {
    await expect(decorate(args)).rejects.toThrow(CommanderError);
    await expect(decorate(args)).rejects.toThrow(message);
  });

  it('says in its help which exit code means what', () => {
    let help = '';
    const command = decorateCommand().configureOutput({
      writeOut: (text) => {
        help += text;
      },
    });
    command.outputHelp();
    expect(help).toContain('Exit codes: 0 ended as asked, 1 failed, 2 configuration or usage');
  });
});
