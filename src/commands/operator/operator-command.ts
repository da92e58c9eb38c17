import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';

/*
 * What the commands for operators have in common. `kerbridge fetch` loads this file too, in every pod: nothing heavy
 * may be imported here.
 */

/** Exit codes of `kerbridge revoke` and `kerbridge tokens`, for scripts. */
export const OPERATOR_EXIT = { done: 0, failed: 1, usage: 2, refused: 3, notReached: 4 } as const;

export const OPERATOR_EXIT_HELP =
  '\nExit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 not reached, or could not be checked now';

/** The operator's own access to the Kubernetes API. */
export interface KubernetesOptions {
  readonly kubeconfig: string;
  readonly context?: string;
}

export const kubernetesOptions = (): Option[] => [
  new Option('--kubeconfig <file>', 'kubeconfig of the operator')
    .env('KUBECONFIG')
    .default(join(homedir(), '.kube', 'config'))
    .argParser(parseKubeconfig),
  new Option('--context <name>', 'context of the kubeconfig (default: its current one)'),
];

function parseKubeconfig(text: string): string {
  if (text.includes(delimiter)) {
    throw new InvalidArgumentError('want one file: name it with --kubeconfig, they are not merged here');
  }
  return text;
}

export interface ObjectId {
  readonly namespace: string;
  readonly name: string;
}

/** RFC 1123 label and subdomain, as the API server demands of namespaces and of most names. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

export function parseNamespace(text: string): string {
  if (!LABEL.test(text)) throw new InvalidArgumentError('want the name of a namespace');
  return text;
}

export function parseObjectName(text: string): string {
  if (!SUBDOMAIN.test(text)) throw new InvalidArgumentError('want a name: a-z, 0-9, "-" and "."');
  return text;
}

export function parseObjectId(text: string): ObjectId {
  const [namespace = '', name = '', ...more] = text.split('/');
  if (!LABEL.test(namespace) || !SUBDOMAIN.test(name) || more.length > 0) {
    throw new InvalidArgumentError('want namespace/name');
  }
  return { namespace, name };
}
