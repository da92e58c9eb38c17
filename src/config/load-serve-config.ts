import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError, type ConfigProblem } from './config-problem.ts';
import { parseListenAddress } from './listen-address.ts';
import { readYaml } from './read-yaml.ts';
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

async function readConfigFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code =
      typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown error';
    throw new ConfigError([{ path: '', message: `cannot read the configuration file ${path}: ${code}` }]);
  }
  const yaml = readYaml(text);
  if (!yaml.ok) {
    throw new ConfigError(yaml.problems.map(({ message }) => ({ path: '', message: `${path}: ${message}` })));
  }
  if (!isMapping(yaml.value)) {
    throw new ConfigError([{ path: '', message: `${path}: want a mapping of keys to values` }]);
  }
  return yaml.value;
}

/**
 * Lays the options over the file. Where the file has something of another shape, it is left alone for the schema to
 * complain about.
 */
export function applyOptions(file: unknown, options: ServeOptions): unknown {
  const problems: ConfigProblem[] = [];
  const address = (text: string | undefined, option: string) => {
    const parsed = text === undefined ? {} : parseListenAddress(text);
    if (parsed === undefined) {
      problems.push({
        path: option,
        message: 'write address:port, for example 127.0.0.1:8080 or [::1]:8080',
      });
    }
    return parsed ?? {};
  };
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  const merged = overlay(file, {
    listen: address(options.listen, '--listen'),
    admin: address(options.adminListen, '--admin-listen'),
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

/** A copy of `below` with the defined values of `above`, mapping by mapping. */
function overlay(below: unknown, above: Readonly<Record<string, unknown>>): unknown {
  if (!isMapping(below)) return below;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    if (!isMapping(value)) merged[key] = value;
    else if (Object.values(value).some((each) => each !== undefined))
      merged[key] = overlay(below[key] ?? {}, value);
  }
  return merged;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
