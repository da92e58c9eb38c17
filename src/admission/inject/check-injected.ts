import { annotationsOf, textIn } from '../object-metadata.ts';
import { Draft } from '../patch/draft.ts';
import { injectInto } from './inject-fetcher.ts';
import { INJECTED_ANNOTATION, type Injection } from './injection.ts';
import { asksForInjection, namesIn, readInjectionWish } from './injection-wish.ts';

/**
 * What is missing of an injected pod as it will be stored, for a sentence: nothing if injecting it anew would change
 * nothing. Containers that other webhooks added after ours have no tokens, and need none.
 */
export function missingOfInjected(
  pod: unknown,
  { injection }: { readonly injection?: Injection | undefined },
): string | undefined {
  const injected = textIn(annotationsOf(pod), INJECTED_ANNOTATION);
  if (injected === undefined)
    return asksForInjection(pod) ? `the annotation ${INJECTED_ANNOTATION} is missing` : undefined;
  const wish = readInjectionWish(pod);
  if (wish === undefined) return `the label that asked for it is gone`;
  if ('outcome' in wish) return wish.text;
  if (injection === undefined) return 'nothing is set up here to be injected any more';
  const draft = new Draft(pod);
  const names = new Set(namesIn(injected));
  const done = injectInto(draft, { injection, wish: { ...wish, containers: names } });
  if (done.outcome === 'refused') return done.text;
  const drafted = draft.finish();
  if (!drafted.ok) return drafted.problem;
  const [first] = drafted.operations;
  return first === undefined ? undefined : `${first.path} is not what Kerbridge has put there`;
}
