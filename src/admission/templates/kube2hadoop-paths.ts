import { BUILT_IN_WORKLOADS } from './built-in-workloads.ts';
import { parseJsonPath } from './json-path.ts';
import { KNOWN_CUSTOM_RESOURCES } from './known-custom-resources.ts';
import { EACH, type PathPattern } from './path-pattern.ts';
import { parsePlaceRule, type PlaceRule, type ResourceRules, type SearchRule } from './template-rule.ts';

/** What Kube2Hadoop's paths.yaml holds under `configs`. */
export interface Kube2HadoopPaths {
  /** `alltypes`, or the plural of a resource without its group. */
  readonly configs: ReadonlyMap<
    string,
    { readonly paths: readonly string[]; readonly neverOverwriteAccounts: readonly string[] }
  >;
}

export interface TakenOverPaths {
  readonly plurals: ReadonlyMap<string, ResourceRules>;
  readonly others: ResourceRules | undefined;
  /** What was not taken over, and why: sentences for the log and for `kerbridge check`. */
  readonly notes: readonly string[];
}

const ALL_TYPES = 'alltypes';
const OF_METADATA = ['metadata', 'annotations'];

/**
 * Turns its paths into places. There, a path named annotations and the user was written into all that were there; here a
 * template also has content, which the stamp covers, so only a path to (the annotations of) a pod template can be taken over.
 */
export function takeOverPaths({ configs }: Kube2HadoopPaths): TakenOverPaths {
  const notes: string[] = [];
  const plurals = new Map<string, ResourceRules>();
  let others: ResourceRules | undefined;
  const known = new Set(
    [...BUILT_IN_WORKLOADS, ...KNOWN_CUSTOM_RESOURCES].map(({ resource }) => resource.split('.', 1)[0]),
  );
  for (const [resource, { paths, neverOverwriteAccounts }] of configs) {
    const name = JSON.stringify(resource);
    if (neverOverwriteAccounts.length > 0) {
      notes.push(
        `${name}.neverOverwriteAccounts becomes nothing: it let those accounts name any user; who speaks for whom is in the rules for requesters now, and controllers are trusted by their exact names`,
      );
    }
    if (resource === 'pods') {
      notes.push(`${name} becomes nothing: every pod is stamped itself, wherever its annotations come from`);
      continue;
    }
    if (known.has(resource)) {
      notes.push(
        `${name} is known to Kerbridge, so its paths are only used for a resource of that name in another group`,
      );
    }
    const rules = takeOver(name, paths, notes);
    if (resource === ALL_TYPES) others = rules;
    // One without a path still takes its resource out of alltypes, as it did.
    else plurals.set(resource, rules);
  }
  return { plurals, others, notes };
}

function takeOver(name: string, paths: readonly string[], notes: string[]): ResourceRules {
  const places: PlaceRule[] = [];
  const searches: SearchRule[] = [];
  for (const path of paths) {
    const rule = ruleFor(path);
    if ('problem' in rule)
      notes.push(`${name}: the path ${JSON.stringify(path)} becomes nothing: ${rule.problem}`);
    else if ('pathEndsWith' in rule) searches.push(rule);
    else places.push(rule);
  }
  return { places, searches };
}

function ruleFor(path: string): PlaceRule | SearchRule | { readonly problem: string } {
  const parsed = parseJsonPath(path);
  if (!parsed.ok) return parsed;
  const { anywhere, segments } = parsed;
  const isOfMetadata = OF_METADATA.every(
    (segment, index) => segments.at(index - OF_METADATA.length) === segment,
  );
  const template = isOfMetadata ? segments.slice(0, -OF_METADATA.length) : segments;
  if (anywhere) {
    // Its name alone says nothing about what the pods run.
    if (!isOfMetadata) return { problem: 'only a search for metadata.annotations finds pod templates' };
    return { pathEndsWith: template };
  }
  if (template.length === 0)
    return { problem: 'only templates are trusted, not the annotations of the object itself' };
  if (template[0] === 'metadata' || template[0] === 'status') {
    return { problem: 'there are no templates in metadata and status' };
  }
  if (!isOfMetadata && segments.at(-1) === 'annotations') {
    return {
      problem:
        'these are no annotations of a pod template: name them under templates, with the content that they belong to',
    };
  }
  const pointer = toPointer(template);
  const result = parsePlaceRule({
    annotations: `${pointer}/metadata/annotations`,
    content: `${pointer}/spec`,
  });
  return result.ok ? result.rule : { problem: result.problems.map(({ message }) => message).join('; ') };
}

function toPointer(pattern: PathPattern): string {
  return pattern
    .map((segment) => `/${segment === EACH ? '*' : segment.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}
