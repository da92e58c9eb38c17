import { compileNames, compileUsers, staticGroups } from '../../identity/identity-rules.ts';
import type { Requester } from './requester.ts';
import {
  type DelegateEntry,
  type Exemption,
  expandControllers,
  type RequesterRule,
  type RequestersDocument,
} from './requesters-document.ts';
import { readServiceAccount } from './service-account.ts';
import { compileWho } from './who.ts';

export interface RequesterRules {
  /** Only for a requester whose service account is proven. */
  readonly isTrustedController: (username: string) => boolean;
  /**
   * What the account may say by the user annotation. `elsewhere`: it is a delegate, but not in that namespace; undefined:
   * it is none at all.
   */
  readonly delegate: (username: string, namespace: string) => Delegate | 'elsewhere' | undefined;
  /** What the first rule says that fits; undefined: none does. */
  readonly ruled: (requester: Requester, namespace: string) => Ruled | undefined;
  readonly otherRequesters: RequestersDocument['otherRequesters'];
  readonly isExempt: IsExempt;
}

export interface Delegate {
  readonly mayName: (user: string) => boolean;
  readonly withoutUser: DelegateEntry['withoutUser'];
}

export type Ruled =
  | { readonly outcome: 'user'; readonly user: string }
  | { readonly outcome: 'refused' }
  /** The stars of the user name could be divided in several ways, and which one decides who it is. */
  | { readonly outcome: 'ambiguous' };

/** Whether the requester may do in that namespace what the guard forbids to others. Of a namespace: in itself. */
export type IsExempt = (requester: Requester, from: Exemption, namespace: string) => boolean;

export function compileRequesterRules(document: RequestersDocument): RequesterRules {
  const controllers = expandControllers(document.trustedControllers);
  const rules = document.rules.map(compileRule);
  return {
    isTrustedController: (username) => controllers.has(username),
    delegate: compileDelegates(document),
    ruled: (requester, namespace) => {
      for (const rule of rules) {
        const ruled = rule(requester, namespace);
        if (ruled !== undefined) return ruled;
      }
      return undefined;
    },
    otherRequesters: document.otherRequesters,
    isExempt: compileExemptions(document.exempt),
  };
}

/** In force without a requesters file: plain user names are themselves. No controller is trusted, and nobody is exempt. */
export const NO_REQUESTER_RULES: RequesterRules = compileRequesterRules({
  groups: new Map(),
  trustedControllers: [],
  delegates: [],
  rules: [],
  otherRequesters: 'themselves',
  exempt: [],
});

function compileDelegates({ delegates, groups }: RequestersDocument): RequesterRules['delegate'] {
  const isMember = staticGroups(groups);
  const byAccount = new Map<string, { isFor: (namespace: string) => boolean; delegate: Delegate }[]>();
  for (const { account, users, namespaces, withoutUser } of delegates) {
    const entries = byAccount.get(account) ?? [];
    const delegate = { mayName: compileUsers(users, isMember), withoutUser };
    byAccount.set(account, [...entries, { isFor: compileNames(namespaces), delegate }]);
  }
  return (username, namespace) => {
    const entries = byAccount.get(username);
    if (entries === undefined) return undefined;
    return entries.find(({ isFor }) => isFor(namespace))?.delegate ?? 'elsewhere';
  };
}

function compileRule(rule: RequesterRule): (requester: Requester, namespace: string) => Ruled | undefined {
  const { namespaces = ['*'], result } = rule;
  const isFor = compileNames(namespaces);
  const match = compileWho(rule, result === 'refuse' ? 'any-case' : 'exact');
  return (requester, namespace) => {
    const found = isFor(namespace) ? match(requester) : undefined;
    if (found === undefined) return undefined;
    if (result === 'refuse') return { outcome: 'refused' };
    if (found.isAmbiguous && CAPTURE.test(result.user)) return { outcome: 'ambiguous' };
    const user = result.user.replaceAll(CAPTURES, (_whole, digit: string) => {
      const capture = found.captures[Number(digit) - 1];
      return capture ?? '';
    });
    return { outcome: 'user', user: result.lowerCase ? lowerAscii(user) : user };
  };
}

const CAPTURE = /\$[1-9]/;
const CAPTURES = /\$([1-9])/g;

/** Not `toLowerCase`: that makes a `k` of the Kelvin sign, which no user name may hold. */
function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function compileExemptions(entries: RequestersDocument['exempt']): IsExempt {
  const exempt = entries.map((entry) => ({
    from: new Set(entry.from),
    isFor: compileNames(entry.namespaces ?? ['*']),
    match: compileWho(entry),
  }));
  return (requester, from, namespace) => {
    const account = readServiceAccount(requester);
    // check: exempt-account-proven
    if (account.kind === 'unproven') return false;
    return exempt.some(
      (entry) => entry.from.has(from) && entry.isFor(namespace) && entry.match(requester) !== undefined,
    );
  };
}
