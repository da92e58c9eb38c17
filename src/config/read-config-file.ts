import { readFile } from 'node:fs/promises';
import { ConfigError, type ConfigProblem } from './config-problem.ts';
import { type ListenAddress, parseListenAddress } from './listen-address.ts';
import { isMapping } from './plain-data.ts';
import { readYaml } from './read-yaml.ts';

/** @throws {ConfigError} for a file that can't be read, or holds no YAML mapping */
export async function readConfigFile(path: string): Promise<unknown> {
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

/** Of the command line. What is wrong with it is added to `problems`. */
export function addressOption(
  text: string | undefined,
  option: string,
  problems: ConfigProblem[],
): Partial<ListenAddress> {
  const parsed = text === undefined ? {} : parseListenAddress(text);
  if (parsed === undefined) {
    problems.push({ path: option, message: 'write address:port, for example 127.0.0.1:8080 or [::1]:8080' });
  }
  return parsed ?? {};
}
