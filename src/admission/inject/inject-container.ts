import type { Draft } from '../patch/draft.ts';
import { childOf, isList, sameJson } from '../patch/json-value.ts';
import { quote } from '../requester/quote.ts';
import {
  CONF_FOLDER,
  CONF_VOLUME,
  CONTAINERS_ANNOTATION,
  type Injection,
  KRB5_CONF,
  TOKEN_FILE,
  TOKENS_FOLDER,
  TOKENS_VOLUME,
} from './injection.ts';
import { type NotInjectable, notInjectable } from './injection-wish.ts';
import type { UserContainer } from './user-containers.ts';

export type ContainerInjected =
  { readonly outcome: 'injected'; readonly conf: 'given' | 'own' | 'none' } | NotInjectable;

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly: true;
  readonly subPath?: string;
}

const OR_OTHERS = `or name the containers that are to get tokens in the annotation ${CONTAINERS_ANNOTATION}`;

/** The tokens and, unless it has a conf dir of its own, the client's configuration: to read, and the way there. */
export function injectContainer(
  draft: Draft,
  container: UserContainer,
  { hadoopConf }: Pick<Injection, 'hadoopConf'>,
): ContainerInjected {
  const { name } = container;
  const confBefore = lastOf(container, 'env', 'HADOOP_CONF_DIR');
  const wantsConf =
    hadoopConf !== undefined && (confBefore === undefined || childOf(confBefore, 'value') === CONF_FOLDER);

  if (wantsConf) addVariable(draft, container, 'HADOOP_CONF_DIR', CONF_FOLDER);
  if (!addVariable(draft, container, 'HADOOP_TOKEN_FILE_LOCATION', TOKEN_FILE))
    return notInjectable(
      'injection-variable-taken',
      `the container ${quote(name)} sets HADOOP_TOKEN_FILE_LOCATION itself: leave that out, ${OR_OTHERS}`,
    );
  const mounts: readonly Mount[] = [
    { name: TOKENS_VOLUME, mountPath: TOKENS_FOLDER, readOnly: true },
    ...(wantsConf ? [{ name: CONF_VOLUME, mountPath: CONF_FOLDER, readOnly: true } as const] : []),
  ];
  for (const mount of mounts) {
    const taken = takenPath(container, mount);
    if (taken !== undefined)
      return notInjectable(
        'injection-path-taken',
        `the container ${quote(name)} has a volume of its own at ${quote(taken)}, where Kerbridge needs ${mount.mountPath}: mount it elsewhere, ${OR_OTHERS}`,
      );
    addMount(draft, container, mount);
  }
  // An image or volume may have a better one: it is only for who has none.
  if (wantsConf && hadoopConf.krb5Conf && mountsAt(container, KRB5_CONF).length === 0)
    addMount(draft, container, {
      name: CONF_VOLUME,
      mountPath: KRB5_CONF,
      readOnly: true,
      subPath: 'krb5.conf',
    });
  if (wantsConf) return { outcome: 'injected', conf: 'given' };
  return { outcome: 'injected', conf: hadoopConf === undefined ? 'none' : 'own' };
}

/** At the front, so that those after it can refer to it. False if the container has another value for it. */
function addVariable(draft: Draft, container: UserContainer, name: string, value: string): boolean {
  const now = lastOf(container, 'env', name);
  if (now === undefined) draft.insert([...container.path, 'env'], { name, value }, 'front');
  return now === undefined || sameJson(now, { name, value });
}

function addMount(draft: Draft, container: UserContainer, mount: Mount): void {
  const isThere = mountsAt(container, mount.mountPath).length > 0;
  if (!isThere) draft.insert([...container.path, 'volumeMounts'], { ...mount }, 'back');
}

/** Of a mount that is not ours at that place or below it: what is below a folder that can't be written can't be made. */
function takenPath(container: UserContainer, { name, mountPath, readOnly }: Mount): string | undefined {
  const other = mountsAt(container, mountPath).find(
    (mount) =>
      childOf(mount, 'name') !== name ||
      childOf(mount, 'readOnly') !== readOnly ||
      childOf(mount, 'mountPath') !== mountPath ||
      ['subPath', 'subPathExpr'].some((key) => (childOf(mount, key) ?? '') !== ''),
  );
  const path = childOf(other, 'mountPath');
  return typeof path === 'string' ? path : undefined;
}

function mountsAt({ container }: UserContainer, folder: string): readonly unknown[] {
  return listIn(container, 'volumeMounts').filter((mount) => {
    const path = childOf(mount, 'mountPath');
    return typeof path === 'string' && `${path.replace(/\/+$/, '')}/`.startsWith(`${folder}/`);
  });
}

function lastOf({ container }: UserContainer, list: string, name: string): unknown {
  return listIn(container, list).findLast((each) => childOf(each, 'name') === name);
}

function listIn(container: unknown, list: string): readonly unknown[] {
  const value = childOf(container, list);
  return isList(value) ? value : [];
}
