import type { Finding, Outcome } from '../../preflight/finding.ts';
import { printable } from '../operator/format-table.ts';

/** How many findings there are of each outcome. */
export type Summary = Readonly<Record<Outcome, number>>;

export function summaryOf(findings: readonly Finding[]): Summary {
  const count = (wanted: Outcome): number => findings.filter(({ outcome }) => outcome === wanted).length;
  return { ok: count('ok'), warning: count('warning'), failed: count('failed'), skipped: count('skipped') };
}

const LABELS: Readonly<Record<Outcome, string>> = {
  ok: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  skipped: 'skipped',
};
const WIDTH = 8;
const INDENT = ' '.repeat(WIDTH + 1);

/** For a person: what is well on one line; else with the id, under which docs/check.md has more, and the fix. */
export function findingText({ id, title, outcome, detail, fix }: Finding): string {
  const label = LABELS[outcome].padEnd(WIDTH);
  const first = outcome === 'ok' ? `${title}: ${detail}` : `${title}  [${id}]`;
  const rest = [...(outcome === 'ok' ? [] : [detail]), ...(fix === undefined ? [] : [`fix: ${fix}`])];
  return [`${label} ${printable(first)}`, ...rest.map((line) => `${INDENT}${printable(line)}`)]
    .map((line) => `${line}\n`)
    .join('');
}

export function summaryText({ ok, warning, failed, skipped }: Summary): string {
  return `\n${failed} failed, ${warning} warning(s), ${ok} ok, ${skipped} skipped\n`;
}
