import { resolve } from 'node:path';
import { ConfigError, type ConfigProblem } from './config-problem.ts';
import { isMapping, overlay } from './plain-data.ts';
import { addressOption, readConfigFile } from './read-config-file.ts';
import { parseServeConfig, type ServeConfigResult } from './serve-config.ts';

/** The command line's settings. Each wins over the file's. Relative paths are relative to the working directory. */
export interface ServeOptions {
  readonly config?: string;
  readonly hadoopConf?: string;
  readonly keytab?: string;
  readonly principal?: string;
  readonly kubeconfig?: string;
  readonly listen?: string;
  readonly adminListen?: string;
  readonly logLevel?: string;
}

/** @throws {ConfigError} if there is nothing that can be checked: no readable file, no YAML, no such option value */
export async function loadServeConfig(options: ServeOptions): Promise<ServeConfigResult> {
  const file = options.config === undefined ? {} : await readConfigFile(options.config);
  return parseServeConfig(applyOptions(file, options));
}

/**
 * Lays the options over the file. Where the file has something of another shape, it is left alone for the schema to
 * complain about.
 */
export function applyOptions(file: unknown, options: ServeOptions): unknown {
  const problems: ConfigProblem[] = [];
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  const merged = overlay(file, {
    listen: addressOption(options.listen, '--listen', problems),
    admin: addressOption(options.adminListen, '--admin-listen', problems),
    kubernetes: { kubeconfig: absolute(options.kubeconfig) },
    log: { level: options.logLevel },
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return overlayFirstCluster(merged, {
    hadoopConf: absolute(options.hadoopConf),
    keytab: absolute(options.keytab),
    principal: options.principal,
  });
}

function overlayFirstCluster(config: unknown, settings: Readonly<Record<string, unknown>>): unknown {
  if (!isMapping(config) || Object.values(settings).every((value) => value === undefined)) return config;
  const clusters = config['clusters'] ?? [];
  if (!Array.isArray(clusters)) return config;
  const [first = {}, ...rest]: unknown[] = clusters;
  return { ...config, clusters: [overlay(first, settings), ...rest] };
}
