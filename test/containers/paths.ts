import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where images and containers of the tests are: nothing of the machine's own podman is touched. */
export function containersDir(environment: Environment = process.env): string {
  const chosen = environment['KERBRIDGE_CONTAINERS_DIR'] ?? '';
  if (chosen !== '') return resolve(chosen);
  const state = environment['XDG_STATE_HOME'] ?? '';
  const root = state.startsWith('/') ? state : join(environment['HOME'] ?? homedir(), '.local/state');
  return join(root, 'kerbridge', 'containers');
}
