import type { Finding } from './finding.ts';

/** What a finding is about; more may be in it, which is left out. */
export interface Subject {
  readonly id: string;
  readonly title: string;
}

export const ok = ({ id, title }: Subject, detail: string): Finding => ({ id, title, outcome: 'ok', detail });

export const skipped = ({ id, title }: Subject, detail: string): Finding => ({
  id,
  title,
  outcome: 'skipped',
  detail,
});

export const warning = ({ id, title }: Subject, detail: string, fix: string): Finding => ({
  id,
  title,
  outcome: 'warning',
  detail,
  fix,
});

export const failed = ({ id, title }: Subject, detail: string, fix: string): Finding => ({
  id,
  title,
  outcome: 'failed',
  detail,
  fix,
});
