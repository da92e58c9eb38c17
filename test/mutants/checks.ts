import { parse } from '@babel/parser';

/** A security check of the source: the `if` directly under a line `// check: <id>`. */
export interface Check {
  readonly id: string;
  /** Of the `if`, counted from 1. */
  readonly line: number;
  /** Offsets of the condition, without its parentheses. */
  readonly condition: { readonly start: number; readonly end: number };
}

export interface Checks {
  readonly checks: readonly Check[];
  /** What is wrong with markers, one sentence each, with the line. */
  readonly problems: readonly string[];
}

const MARKER = /^\s*check:\s*(?<id>.*?)\s*$/;
const KEBAB_CASE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** @throws SyntaxError if the source is no TypeScript. */
export function findChecks(source: string): Checks {
  const { program, comments } = parse(source, { sourceType: 'module', plugins: ['typescript'] });
  const statements = ifStatements(program);
  const checks: Check[] = [];
  const problems: string[] = [];
  for (const comment of comments ?? []) {
    const id = comment.type === 'CommentLine' ? MARKER.exec(comment.value)?.groups?.['id'] : undefined;
    if (id === undefined) continue;
    const line = comment.loc?.start.line ?? 0;
    const markerEnd = comment.end ?? source.length;
    // Nothing but the `else` of an `else if` may stand between them: no statement, no other comment.
    const marked = statements.find(
      ({ start }) => start >= markerEnd && /^\s*(?:else\s+)?$/.test(source.slice(markerEnd, start)),
    );
    if (!KEBAB_CASE.test(id)) problems.push(`line ${line}: ${JSON.stringify(id)} is not in kebab-case`);
    else if (marked === undefined) problems.push(`line ${line}: ${id} has no if directly under it`);
    else checks.push({ id, line: marked.loc.start.line, condition: marked.test });
  }
  return { checks, problems };
}

/** The source with the condition of that check replaced by `false`; every other line stays where it was. */
export function switchOff(source: string, id: string): string {
  const check = findChecks(source).checks.find((one) => one.id === id);
  if (check === undefined) return source;
  const { start, end } = check.condition;
  const lineBreaks = source.slice(start, end).replaceAll(/[^\n]/g, '');
  return `${source.slice(0, start)}false${lineBreaks}${source.slice(end)}`;
}

/** The part of Babel's node that matters here. */
interface IfStatement {
  readonly type: 'IfStatement';
  readonly start: number;
  readonly loc: { readonly start: { readonly line: number } };
  readonly test: { readonly start: number; readonly end: number };
}

function ifStatements(program: unknown): IfStatement[] {
  const found: IfStatement[] = [];
  const waiting = [program];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (typeof node !== 'object' || node === null) continue;
    if ('type' in node && node.type === 'IfStatement') found.push(node as IfStatement);
    waiting.push(...Object.values(node));
  }
  return found;
}
