import { annotationsOf, labelsOf, textIn } from '../object-metadata.ts';
import { childOf } from '../patch/json-value.ts';
import { quote } from '../requester/quote.ts';
import { CLUSTER_ANNOTATION, CONTAINERS_ANNOTATION, INJECT_LABEL } from './injection.ts';
import { userContainersOf } from './user-containers.ts';

export interface InjectionWish {
  readonly init: boolean;
  readonly sidecar: boolean;
  /** undefined: all of them. */
  readonly containers: ReadonlySet<string> | undefined;
  /** undefined: as configured. */
  readonly cluster: string | undefined;
}

export interface NotInjectable {
  readonly outcome: 'refused';
  readonly reason: string;
  readonly text: string;
}

export const notInjectable = (reason: string, text: string): NotInjectable => ({
  outcome: 'refused',
  reason,
  text,
});

const MODES: ReadonlyMap<string, Pick<InjectionWish, 'init' | 'sidecar'>> = new Map([
  ['true', { init: true, sidecar: true }],
  ['init', { init: true, sidecar: false }],
  ['sidecar', { init: false, sidecar: true }],
]);

/** Whether the pod is labelled at all. `false` is for templates that others switch on. */
export function asksForInjection(pod: unknown): boolean {
  const label = textIn(labelsOf(pod), INJECT_LABEL);
  return label !== undefined && label !== 'false';
}

/** What the pod's label and annotations ask for. undefined: nothing. */
export function readInjectionWish(pod: unknown): InjectionWish | NotInjectable | undefined {
  if (!asksForInjection(pod)) return undefined;
  const label = textIn(labelsOf(pod), INJECT_LABEL) ?? '';
  const mode = MODES.get(label);
  if (mode === undefined)
    return notInjectable(
      'injection-label',
      `the label ${INJECT_LABEL} is ${quote(label)}: make it "true", "init", "sidecar" or "false"`,
    );
  if (isForWindows(pod))
    return notInjectable(
      'injection-windows',
      `the pod is for Windows, where the fetcher does not run: take the label ${INJECT_LABEL} off`,
    );
  const annotations = annotationsOf(pod);
  const cluster = textIn(annotations, CLUSTER_ANNOTATION);
  if (cluster !== undefined && !CLUSTER.test(cluster))
    return notInjectable(
      'injection-cluster',
      `the annotation ${CLUSTER_ANNOTATION} is ${quote(cluster)}: make it the name of a Hadoop cluster, as the administrators call it`,
    );
  const listed = textIn(annotations, CONTAINERS_ANNOTATION);
  const containers = listed === undefined ? undefined : namesIn(listed);
  const there = new Set(userContainersOf(pod).map(({ name }) => name));
  const unknown = containers?.find((name) => !there.has(name));
  if (unknown !== undefined)
    return notInjectable(
      'injection-containers',
      `the annotation ${CONTAINERS_ANNOTATION} names ${quote(unknown)}, which is no container of the pod: write names of its containers with commas between`,
    );
  return { ...mode, containers: containers === undefined ? undefined : new Set(containers), cluster };
}

export function namesIn(list: string): readonly string[] {
  return list.split(',').map((name) => name.trim());
}

/** As `serve` has it: an RFC 1123 label. */
const CLUSTER = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function isForWindows(pod: unknown): boolean {
  const spec = childOf(pod, 'spec');
  return (
    childOf(childOf(spec, 'os'), 'name') === 'windows' ||
    childOf(childOf(spec, 'nodeSelector'), 'kubernetes.io/os') === 'windows'
  );
}
