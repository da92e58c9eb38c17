import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { findChecks } from '../mutants/checks.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** `file: id` of each check of the source. */
function checksOfSource(): string[] {
  return globSync('src/**/*.ts', { cwd: root.pathname })
    .filter((file) => !file.endsWith('.test.ts'))
    .flatMap((file) => findChecks(read(file)).checks.map(({ id }) => `${file}: ${id}`));
}

function checksOfPage(): string[] {
  const table = /<!-- checks -->([\s\S]*)<!-- \/checks -->/.exec(read('docs/threat-model.md'))?.[1] ?? '';
  return [...table.matchAll(/^\|[^|]*\| `(src\/[^`]+)` *\|([^|]*)\|$/gm)].flatMap(([, file = '', ids = '']) =>
    [...ids.matchAll(/`([^`]+)`/g)].map(([, id = '']) => `${file}: ${id}`),
  );
}

describe('docs/threat-model.md', () => {
  it('names every check of the source with its file, and no other', () => {
    const checks = checksOfSource();
    expect(checks.length).toBeGreaterThan(60);
    expect(checksOfPage().toSorted()).toEqual(checks.toSorted());
  });
});
