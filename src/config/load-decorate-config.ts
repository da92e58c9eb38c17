import { resolve } from 'node:path';
import { ConfigError, type ConfigProblem } from './config-problem.ts';
import { type DecorateConfigResult, parseDecorateConfig } from './decorate-config.ts';
import { overlay } from './plain-data.ts';
import { addressOption, readConfigFile } from './read-config-file.ts';

/** The command line's settings. Each wins over the file's. Relative paths are relative to the working directory. */
export interface DecorateOptions {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly listen?: string;
  readonly adminListen?: string;
  readonly logLevel?: string;
  /** Can only be turned on: an option that is not given leaves the file's word. */
  readonly auditOnly?: boolean;
}

/** @throws {ConfigError} if there is nothing that can be checked: no readable file, no YAML, no such option value */
export async function loadDecorateConfig(options: DecorateOptions): Promise<DecorateConfigResult> {
  const file = options.config === undefined ? {} : await readConfigFile(options.config);
  const problems: ConfigProblem[] = [];
  const { kubeconfig } = options;
  const merged = overlay(file, {
    listen: addressOption(options.listen, '--listen', problems),
    admin: addressOption(options.adminListen, '--admin-listen', problems),
    kubernetes: { kubeconfig: kubeconfig === undefined ? undefined : resolve(kubeconfig) },
    log: { level: options.logLevel },
    auditOnly: options.auditOnly,
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return parseDecorateConfig(merged);
}
