import { BUILT_IN_WORKLOADS, type ResourceTemplates } from './built-in-workloads.ts';
import { KNOWN_CUSTOM_RESOURCES } from './known-custom-resources.ts';
import { parsePlaceRule, type ResourceRules } from './template-rule.ts';

/** Where which resource has its templates. */
export interface TemplateTable {
  /** By `plural.group`. */
  readonly resources: ReadonlyMap<string, ResourceRules>;
  /** By plural, whatever the group; only for what is not in `resources`. Kube2Hadoop knew no groups. */
  readonly plurals: ReadonlyMap<string, ResourceRules>;
  /** For all that is in neither. */
  readonly others: ResourceRules | undefined;
}

export interface TableProblem {
  /** Of the configuration's list. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type TemplateTableResult =
  | { readonly ok: true; readonly table: TemplateTable }
  | { readonly ok: false; readonly problems: readonly TableProblem[] };

export interface TemplateTableOptions {
  /** From the configuration. */
  readonly resources: readonly ResourceTemplates[];
  /** From Kube2Hadoop's paths.yaml. */
  readonly plurals?: ReadonlyMap<string, ResourceRules>;
  readonly others?: ResourceRules | undefined;
}

/** The core group's name is empty, and then the plural stands alone. */
export function resourceKey({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): string {
  return group === '' ? resource : `${resource}.${group}`;
}

export function buildTemplateTable(options: TemplateTableOptions): TemplateTableResult {
  const problems: TableProblem[] = [];
  const builtIn = rulesOf(BUILT_IN_WORKLOADS, problems);
  const known = rulesOf(KNOWN_CUSTOM_RESOURCES, problems);
  for (const [index, { resource }] of options.resources.entries()) {
    const path = [index, 'resource'];
    if (builtIn.has(resource)) problems.push({ path, message: 'is built in: leave it out' });
    if (resource === 'pods') {
      problems.push({ path, message: 'a pod has no template, and is stamped itself: leave it out' });
    }
    if (options.resources.findIndex((other) => other.resource === resource) < index) {
      problems.push({ path, message: 'is given twice: put all places under one' });
    }
  }
  const configured = rulesOf(options.resources, problems);
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    table: {
      resources: new Map([...known, ...configured, ...builtIn]),
      plurals: options.plurals ?? new Map(),
      others: options.others,
    },
  };
}

/** undefined: that resource has no templates that we know of. */
export function rulesFor(table: TemplateTable, resource: string): ResourceRules | undefined {
  if (resource === 'pods') return undefined;
  const plural = resource.split('.', 1)[0] ?? resource;
  return table.resources.get(resource) ?? table.plurals.get(plural) ?? table.others;
}

function rulesOf(
  resources: readonly ResourceTemplates[],
  problems: TableProblem[],
): Map<string, ResourceRules> {
  const rules = new Map<string, ResourceRules>();
  for (const [index, { resource, places }] of resources.entries()) {
    const parsed = places.map(parsePlaceRule);
    for (const [place, result] of parsed.entries()) {
      if (result.ok) continue;
      for (const { key, message } of result.problems) {
        problems.push({ path: [index, 'places', place, key], message });
      }
    }
    rules.set(resource, {
      places: parsed.flatMap((result) => (result.ok ? [result.rule] : [])),
      searches: [],
    });
  }
  return rules;
}
