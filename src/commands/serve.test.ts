import { describe, expect, it } from '@jest/globals';
import { serveCommand } from './serve.ts';

async function serve(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const seen = { out: '', error: '', codes: [] as number[] };
  const command = serveCommand({
    out: (text) => {
      seen.out += text;
    },
    error: (text) => {
      seen.error += text;
    },
    exitWith: (code) => seen.codes.push(code),
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

describe('kerbridge serve', () => {
  it.each([[[]], [['--check-config']]])(
    'ends with 2 and all problems for a configuration that cannot work %j',
    async (extra) => {
      const { out, error, codes } = await serve([
        '--hadoop-conf=/nonexistent/conf',
        '--keytab=/nonexistent/keytab',
        '--kubeconfig=/nonexistent/kubeconfig',
        ...extra,
      ]);
      expect({ out, codes }).toEqual({ out: '', codes: [2] });
      expect(error).toMatch(/^kerbridge serve: the configuration has 3 problem\(s\):$/m);
      expect(error).toMatch(/^ {2}clusters\[0\]\.hadoopConf: /m);
      expect(error).toMatch(/^ {2}clusters\[0\]\.keytab: there is no keytab/m);
      expect(error).toMatch(/^ {2}kubernetes: cannot read the kubeconfig \/nonexistent\/kubeconfig/m);
      expect(error).not.toMatch(/^\s+at /m);
    },
  );

  it('finds its configuration by KERBRIDGE_CONFIG, and an option wins', async () => {
    const environment = { KERBRIDGE_CONFIG: '/nonexistent/from-environment.yaml' };
    expect((await serve([], environment)).error).toContain('/nonexistent/from-environment.yaml: ENOENT');
    const { error } = await serve(['--config', '/nonexistent/from-option.yaml'], environment);
    expect(error).toContain('/nonexistent/from-option.yaml: ENOENT');
  });
});
