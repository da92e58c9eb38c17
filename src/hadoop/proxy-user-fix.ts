const REFRESH =
  'then run hdfs dfsadmin -refreshSuperUserGroupsConfiguration (or restart; KMS has its own hadoop.kms.proxyuser.* settings).';

/**
 * The property behind the two refusals of `DefaultImpersonationProvider.authorize`, or undefined for any other text.
 */
export function proxyUserFix(message: string): string | undefined {
  const user = /^User: (?<svc>\S+) is not allowed to impersonate (?<user>.*)$/u.exec(message)?.groups;
  if (user !== undefined) {
    const property = `hadoop.proxyuser.${shortName(user['svc'] ?? '')}`;
    const whom = user['user'] === '' ? 'that user' : user['user'];
    return `On every NameNode let ${property}.users name ${whom}, or ${property}.groups a group the NameNode finds them in; ${REFRESH}`;
  }
  const host = /Unauthorized connection for super-user: (?<svc>\S+) from IP \/?(?<ip>\S+)/u.exec(
    message,
  )?.groups;
  if (host !== undefined) {
    return `On every NameNode let hadoop.proxyuser.${shortName(host['svc'] ?? '')}.hosts contain ${host['ip']} (the address it sees, after any NAT); ${REFRESH}`;
  }
  return undefined;
}

/** The ResourceManager names the full principal; the properties want the short name. */
function shortName(name: string): string {
  return name.split(/[/@]/u)[0] ?? name;
}
