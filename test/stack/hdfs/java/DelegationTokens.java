import java.io.IOException;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.hdfs.security.token.delegation.DelegationTokenIdentifier;
import org.apache.hadoop.hdfs.security.token.delegation.DelegationTokenSecretManager;
import org.apache.hadoop.hdfs.server.namenode.FSNamesystem;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.security.token.delegation.AbstractDelegationTokenSecretManager;

/**
 * The delegation tokens a NameNode holds, read by reflection: no Hadoop interface lists them, and a test about leaked
 * or cancelled tokens must ask the server itself. Never the passwords.
 */
final class DelegationTokens {
  private DelegationTokens() {}

  static List<Object> of(NameNode nameNode) throws ReflectiveOperationException, IOException {
    DelegationTokenSecretManager manager = secretManager(nameNode);
    Map<?, ?> current = (Map<?, ?>) field("currentTokens").get(manager);
    List<Object> tokens = new ArrayList<>();
    synchronized (manager) {
      Collection<?> identifiers = new ArrayList<>(current.keySet());
      for (Object key : identifiers) {
        DelegationTokenIdentifier identifier = (DelegationTokenIdentifier) key;
        AbstractDelegationTokenSecretManager.DelegationTokenInformation information =
            (AbstractDelegationTokenSecretManager.DelegationTokenInformation) current.get(key);
        Map<String, Object> token = new TreeMap<>();
        token.put("sequenceNumber", identifier.getSequenceNumber());
        token.put("masterKeyId", identifier.getMasterKeyId());
        token.put("owner", identifier.getOwner().toString());
        token.put("renewer", identifier.getRenewer().toString());
        token.put("realUser", identifier.getRealUser().toString());
        token.put("issueDate", identifier.getIssueDate());
        token.put("maxDate", identifier.getMaxDate());
        token.put("renewDate", information.getRenewDate());
        tokens.add(token);
      }
    }
    return tokens;
  }

  /** Lifetimes of the tokens issued and renewed from now on. The server reads its settings only at start. */
  static void setLifetimes(NameNode nameNode, Long renewIntervalMs, Long maxLifetimeMs)
      throws ReflectiveOperationException {
    DelegationTokenSecretManager manager = secretManager(nameNode);
    synchronized (manager) {
      if (renewIntervalMs != null) {
        field("tokenRenewInterval").setLong(manager, renewIntervalMs);
      }
      if (maxLifetimeMs != null) {
        field("tokenMaxLifetime").setLong(manager, maxLifetimeMs);
      }
    }
  }

  static boolean haveLifetimes(NameNode nameNode, long renewIntervalMs, long maxLifetimeMs)
      throws ReflectiveOperationException {
    DelegationTokenSecretManager manager = secretManager(nameNode);
    return field("tokenRenewInterval").getLong(manager) == renewIntervalMs
        && field("tokenMaxLifetime").getLong(manager) == maxLifetimeMs;
  }

  private static DelegationTokenSecretManager secretManager(NameNode nameNode) throws ReflectiveOperationException {
    Field field = FSNamesystem.class.getDeclaredField("dtSecretManager");
    field.setAccessible(true);
    return (DelegationTokenSecretManager) field.get(nameNode.getNamesystem());
  }

  private static Field field(String name) throws ReflectiveOperationException {
    Field field = AbstractDelegationTokenSecretManager.class.getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }
}
