import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where one stack keeps its files. Everything is below `dir`, which is outside the checkout. */
export interface StackPaths {
  readonly dir: string;
  readonly logs: string;
  /** One JSON record a running part. */
  readonly run: string;
  /** Ports and options, remembered from one `up` to the next. */
  readonly settings: string;
  readonly kdc: string;
  readonly hdfs: string;
  readonly ha: string;
  readonly kubernetes: string;
  readonly prometheus: string;
  /** Client configuration of Hadoop, one folder a cluster. */
  readonly conf: string;
}

/** The state directory: `explicit`, else `KERBRIDGE_STACK_DIR`, else below `XDG_STATE_HOME`. */
export function stackDir(explicit?: string, environment: Environment = process.env): string {
  const chosen = explicit ?? environment['KERBRIDGE_STACK_DIR'];
  if (chosen !== undefined && chosen !== '') {
    return resolve(chosen);
  }
  return join(xdg(environment, 'XDG_STATE_HOME', '.local/state'), 'kerbridge', 'stack');
}

/** Where jars and built programs are kept, shared by all stacks of a user. */
export function cacheRoot(environment: Environment = process.env): string {
  return join(xdg(environment, 'XDG_CACHE_HOME', '.cache'), 'kerbridge');
}

export function stackPaths(dir: string): StackPaths {
  return {
    dir,
    logs: join(dir, 'logs'),
    run: join(dir, 'run'),
    settings: join(dir, 'settings.json'),
    kdc: join(dir, 'kdc'),
    hdfs: join(dir, 'hdfs'),
    ha: join(dir, 'ha'),
    kubernetes: join(dir, 'kubernetes'),
    prometheus: join(dir, 'prometheus'),
    conf: join(dir, 'conf'),
  };
}

/** The XDG specification says that a relative path in these variables is to be ignored. */
function xdg(environment: Environment, variable: string, fallback: string): string {
  const value = environment[variable] ?? '';
  return value.startsWith('/') ? value : join(environment['HOME'] ?? homedir(), fallback);
}
