import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../cache.ts';
import { messageOf } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import type { Part } from '../parts.ts';
import type { StackPaths } from '../paths.ts';
import type { Ports } from '../ports.ts';
import { plainEnvironment, requireProgram } from '../run-command.ts';
import { prometheusFiles } from './prometheus-files.ts';

/** Debian's Prometheus with data and port of its own. It scrapes nothing until a test writes a file of targets. */
export function prometheusPart(paths: StackPaths, ports: Ports): Part {
  const files = prometheusFiles(paths);
  const command = requireProgram('prometheus', 'the Debian package prometheus');
  const config = JSON.stringify(
    {
      // Tests wait for the next one.
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [
        {
          job_name: 'kerbridge',
          file_sd_configs: [{ files: [join(files.targets, '*.json')], refresh_interval: '1s' }],
        },
      ],
    },
    undefined,
    2,
  );
  const args = [
    `--config.file=${files.config}`,
    `--storage.tsdb.path=${files.data}`,
    '--storage.tsdb.retention.time=1d',
    `--web.listen-address=127.0.0.1:${ports.prometheus}`,
    '--log.level=warn',
  ];
  return {
    name: 'prometheus',
    ports: { prometheus: ports.prometheus },
    digest: digestOf(command, ...args, config),
    command,
    args,
    env: plainEnvironment(),
    startTimeoutMs: 30_000,
    prepare: async () => {
      await mkdir(files.targets, { recursive: true });
      // JSON is YAML.
      await writeFileAtomically(files.config, `${config}\n`);
    },
    probe: () => probePrometheus(ports),
  };
}

export async function probePrometheus(ports: Ports): Promise<string | undefined> {
  const url = `http://127.0.0.1:${ports.prometheus}/-/ready`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await response.arrayBuffer();
    return response.ok ? undefined : `/-/ready answers ${response.status}`;
  } catch (error) {
    return `does not answer at ${url} (${messageOf(error)})`;
  }
}
