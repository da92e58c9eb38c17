import type { Draft } from '../patch/draft.ts';
import { childOf, isList } from '../patch/json-value.ts';
import { quote } from '../requester/quote.ts';
import { type Part, fetchersFor, volumesFor } from './fetcher-parts.ts';
import { holds } from './holds.ts';
import { injectContainer } from './inject-container.ts';
import { CONTAINERS_ANNOTATION, INJECT_LABEL, INJECTED_ANNOTATION, type Injection } from './injection.ts';
import {
  type InjectionWish,
  type NotInjectable,
  notInjectable,
  readInjectionWish,
} from './injection-wish.ts';
import { userContainersOf } from './user-containers.ts';

export type FetcherInjected =
  | { readonly outcome: 'injected'; readonly warnings: readonly string[] }
  | { readonly outcome: 'not-asked-for' }
  | NotInjectable;

/**
 * Puts the fetcher into a pod that is labelled for it: of what is there by the names of ours, nothing is done again, so
 * it may run as often as other webhooks make it.
 */
export function injectFetcher(
  draft: Draft,
  { injection }: { readonly injection?: Injection | undefined },
): FetcherInjected {
  const wish = readInjectionWish(draft.get([]));
  if (wish === undefined) {
    draft.remove(['metadata', 'annotations', INJECTED_ANNOTATION]);
    return { outcome: 'not-asked-for' };
  }
  if ('outcome' in wish) return wish;
  if (injection === undefined)
    return notInjectable(
      'injection-not-configured',
      `the pod has the label ${INJECT_LABEL}, and nothing is set up here to be injected: take the label off, or ask an administrator to set "injection" in the configuration of kerbridge decorate`,
    );
  const done = injectInto(draft, { injection, wish });
  if (done.outcome === 'refused') return done;
  draft.set(['metadata', 'annotations', INJECTED_ANNOTATION], done.containers);
  return { outcome: 'injected', warnings: done.warnings };
}

/** Far more than any pod has, and few enough to be done with at once. */
const MAX_CONTAINERS = 250;
const MAX_WARNINGS = 5;

interface Asked {
  readonly injection: Injection;
  readonly wish: InjectionWish;
}

/** All but the annotation that says so. `containers`: which of the user's have it now. */
export function injectInto(
  draft: Draft,
  { injection, wish }: Asked,
):
  | { readonly outcome: 'injected'; readonly containers: string; readonly warnings: readonly string[] }
  | NotInjectable {
  const pod = draft.get([]);
  const containers = userContainersOf(pod).filter(({ name }) => wish.containers?.has(name) !== false);
  if (containers.length > MAX_CONTAINERS)
    return notInjectable(
      'injection-too-many',
      `the pod has more than ${MAX_CONTAINERS} containers that would get tokens: name those that need them in the annotation ${CONTAINERS_ANNOTATION}`,
    );
  const keepingConf: string[] = [];
  let hasConf = false;
  for (const container of containers) {
    const done = injectContainer(draft, container, injection);
    if (done.outcome === 'refused') return done;
    hasConf ||= done.conf === 'given';
    if (done.conf === 'own') keepingConf.push(container.name);
  }
  const taken =
    addParts(draft, { list: 'volumes', parts: volumesFor(injection, hasConf), where: 'back' }) ??
    // From the last one on, each goes to the front: nothing of the user's runs before them.
    addParts(draft, {
      list: 'initContainers',
      parts: fetchersFor({ injection, wish, pod }).toReversed(),
      where: 'front',
    });
  if (taken !== undefined) return taken;
  addGroup(draft, injection.group);
  return {
    outcome: 'injected',
    containers: containers.map(({ name }) => name).join(),
    warnings: keepingConf
      .slice(0, MAX_WARNINGS)
      .map((name) => `the container ${quote(name)} keeps its own HADOOP_CONF_DIR`),
  };
}

interface Parts {
  readonly list: 'volumes' | 'initContainers';
  readonly parts: readonly Part[];
  readonly where: 'front' | 'back';
}

function addParts(draft: Draft, { list, parts, where }: Parts): NotInjectable | undefined {
  for (const part of parts) {
    const now = findPart(draft, list, part.name);
    if (now === undefined) draft.insert(['spec', list], part, where);
    else if (!isOurs(now, part))
      return notInjectable(
        'injection-name-taken',
        `the pod has a ${list === 'volumes' ? 'volume' : 'container'} ${part.name} that is not what Kerbridge injects: take it out (a copy of an injected pod is injected anew); if another webhook changed it, an administrator has to except it there`,
      );
  }
  return undefined;
}

function findPart(draft: Draft, list: Parts['list'], name: string): unknown {
  const lists = list === 'volumes' ? ['volumes'] : ['initContainers', 'containers'];
  return lists.flatMap((each) => draft.get(['spec', each])).find((each) => childOf(each, 'name') === name);
}

/** How much it may use is for others to say as well; what is run in it is not. */
function isOurs(now: unknown, part: Part): boolean {
  const runsOther = ['command', 'args', 'restartPolicy', 'lifecycle'].some(
    (key) => !Object.hasOwn(part, key) && childOf(now, key) !== undefined,
  );
  const compared = Object.entries(part).filter(([key]) => key !== 'resources');
  return !runsOther && holds(now, Object.fromEntries(compared));
}

function addGroup(draft: Draft, group: number): void {
  const path = ['spec', 'securityContext', 'supplementalGroups'];
  const groups = draft.get(path);
  if (!isList(groups) || !groups.includes(group)) draft.insert(path, group, 'back');
}
