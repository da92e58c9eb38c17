import type { DigestedTemplate, FindTemplates } from '../decorator-parts.ts';
import { digestOf } from './digest-of.ts';
import { findTemplates } from './find-templates.ts';
import { resourceKey, type TemplateTable } from './template-table.ts';

/** By the table in force now. */
export function createTemplateFinder(table: () => TemplateTable): FindTemplates {
  return (resource, object) => {
    const found = findTemplates({ resource: resourceKey(resource), object, table: table() });
    if (!found.ok) return found;
    const places: DigestedTemplate[] = [];
    for (const { content, ...place } of found.places) {
      const result = digestOf(content);
      if (!result.ok) return { ok: false, problem: `${place.pointer}: ${result.problem}` };
      places.push({ ...place, digest: result.digest });
    }
    return { ok: true, places };
  };
}
