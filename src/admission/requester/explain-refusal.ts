import { quote } from './quote.ts';
import type { RequesterQuestion, RequesterRefusal } from './requester.ts';

export interface RefusalFacts {
  readonly reason: RequesterRefusal;
  readonly question: RequesterQuestion;
  /** Whom it would have been. */
  readonly user: string | undefined;
  /** Key of the user annotation. */
  readonly annotation: string;
}

/** What is wrong and what to do, in one or two sentences for the person whose `kubectl` shows them. */
export function explainRefusal({ reason, question, user = '', annotation }: RefusalFacts): string {
  const who = quote(question.requester.username);
  const namespace = quote(question.namespace);
  const whom = quote(user);
  switch (reason) {
    case 'requester-malformed':
      return 'the user name of the requester is empty or too long: log in as somebody else';
    case 'service-account-unproven':
      return `${who} did not show a token of its own: use one that the TokenRequest API has issued ("kubectl create token", or the one mounted in a pod), not impersonation and not a token Secret`;
    case 'delegate-not-in-namespace':
      return `${who} may not name users in namespace ${namespace}: leave the annotation ${annotation} out, or ask an administrator to add the namespace to its entry of delegates`;
    case 'delegate-names-nobody':
      return `${who} acts for others and names nobody: set the annotation ${annotation} to the user it acts for`;
    case 'delegate-may-not-name-user':
      return `${who} may not name ${whom} in namespace ${namespace}: ask an administrator to add the user to its entry of delegates`;
    case 'creator-pod-malformed':
      return `it is not clear which pod ${who} asks from: use the token mounted in the pod, without impersonation`;
    case 'creator-pod-not-found':
      return `the pod that ${who} asks from does not exist any more: start it again`;
    case 'creator-pod-uid-differs':
      return `the pod that ${who} asks from was replaced by another of its name: use the token mounted in that one`;
    case 'creator-pod-service-account-differs':
      return `the pod that ${who} asks from runs as another service account: use the token mounted in the pod`;
    case 'creator-pod-finished':
      return `the pod that ${who} asks from has finished: start it again`;
    case 'creator-pod-terminating':
      return `the pod that ${who} asks from is being deleted: start it again`;
    case 'creator-pod-not-stamped':
      return `the pod that ${who} asks from speaks for no user, so what it makes would not either: create that pod anew in this namespace, as a user`;
    case 'rule-refuses':
      return `a rule lets ${who} start nothing that speaks for a user: ask an administrator`;
    case 'rule-ambiguous':
      return `a rule fits ${who} in more than one way, so it is not clear which user that is: ask an administrator to make the rule of requesters more exact`;
    case 'system-requester':
      return `${who} is an account of Kubernetes itself and speaks for no user: create the object as a user; if it is a controller, an administrator can name it in trustedControllers`;
    case 'service-account-not-mapped':
      return `service account ${who} speaks for no user in namespace ${namespace}: create the object as a user, or from a pod of one in this namespace, or ask an administrator to add a rule or a delegate`;
    case 'requester-not-mapped':
      return `it is not known which Hadoop user ${who} is: ask an administrator to add a rule of requesters`;
    case 'user-name-invalid':
      return `${whom} is not the name of a Hadoop user: check what ${who} stands for in the rules of requesters, or the annotation ${annotation}`;
    case 'user-outside-namespace-rule':
      return `user ${whom} may not be used in namespace ${namespace}: use a namespace of yours, or ask an administrator to add the user to the identity rules`;
    case 'user-denied':
      return `user ${whom} is a service user or denied, and nothing in a pod may be that: use another user`;
  }
}
