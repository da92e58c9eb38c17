import type { z } from 'zod';
import { type ConfigProblem, formatPath } from './config-problem.ts';

/** zod's issue in words that name the fix. Values are never repeated: someone will paste a secret into the wrong key. */
export function explainIssue(issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = formatPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: formatPath([...issue.path, key]),
      message: 'unknown key; check its spelling, or remove it',
    }));
  }
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, message: 'is required' }];
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    return [{ path, message: issue.issues.map(({ message }) => message).join('; ') }];
  }
  return [{ path, message: issue.message.replace(/^Invalid (?:input|option): /, '') }];
}
