import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenIdentifier;
import org.apache.hadoop.security.token.delegation.AbstractDelegationTokenIdentifier;

/**
 * What a program in a pod does with the token file of HADOOP_TOKEN_FILE_LOCATION:
 *
 * <ul>
 *   <li>{@code read-loop PATH} writes a file, then reads it every second until it is killed: once with a login made
 *       just now, as a process that was started just now would have it, and once with the login of the start.
 *   <li>{@code cancel} cancels the token of the default file system.
 * </ul>
 *
 * One JSON object a line on standard output.
 */
public final class TokenClient {
  private static final byte[] CONTENT = "read by a token\n".getBytes(StandardCharsets.UTF_8);

  private final Configuration configuration;

  private TokenClient(Configuration configuration) {
    this.configuration = configuration;
  }

  public static void main(String[] args) throws Exception {
    Configuration configuration = new HdfsConfiguration();
    UserGroupInformation.setConfiguration(configuration);
    TokenClient client = new TokenClient(configuration);
    if (args.length == 2 && args[0].equals("read-loop")) {
      client.readLoop(new Path(args[1]));
    } else if (args.length == 1 && args[0].equals("cancel")) {
      client.cancel();
    } else {
      System.err.println("usage: TokenClient read-loop PATH | cancel");
      System.exit(2);
    }
  }

  private void readLoop(Path path) throws Exception {
    UserGroupInformation first = login();
    as(first, fileSystem -> {
      try (FSDataOutputStream out = fileSystem.create(path)) {
        out.write(CONTENT);
      }
    });
    for (long next = System.currentTimeMillis();; next += 1000) {
      Thread.sleep(Math.max(0, next - System.currentTimeMillis()));
      tell("fresh", path, null);
      tell("first", path, first);
    }
  }

  private void tell(String whose, Path path, UserGroupInformation known) throws Exception {
    long begun = System.currentTimeMillis();
    String outcome = "read";
    String problem = "";
    List<Integer> numbers = new ArrayList<>();
    try {
      UserGroupInformation user = known == null ? login() : known;
      numbers = sequenceNumbers(user);
      as(user, fileSystem -> {
        try (FSDataInputStream in = fileSystem.open(path)) {
          in.readFully(new byte[CONTENT.length]);
        }
      });
    } catch (IOException failure) {
      outcome = isOfAuthentication(failure) ? "not-authenticated" : "failed";
      problem = failure.toString();
    }
    String printable = problem.replaceAll("[^ -~]|[\"\\\\]", " ");
    System.out.println(
        String.format(
            "{\"login\":\"%s\",\"outcome\":\"%s\",\"problem\":\"%s\",\"sequenceNumbers\":%s,\"at\":%d,\"tookMs\":%d}",
            whose, outcome, printable, numbers, begun, System.currentTimeMillis() - begun));
    System.out.flush();
  }

  private void cancel() throws Exception {
    UserGroupInformation user = login();
    as(user, fileSystem -> {
      String service = fileSystem.getCanonicalServiceName();
      for (Token<? extends TokenIdentifier> token : user.getTokens()) {
        if (token.getService().toString().equals(service)) {
          try {
            token.cancel(configuration);
          } catch (InterruptedException interrupted) {
            throw new IOException(interrupted);
          }
          System.out.println("{\"cancelled\":" + numberOf(token) + "}");
          return;
        }
      }
      throw new IOException("no token for " + service);
    });
  }

  /** Reads the token file, as the first login of a process does. */
  private static UserGroupInformation login() throws IOException {
    UserGroupInformation.loginUserFromSubject(null);
    return UserGroupInformation.getLoginUser();
  }

  private interface Work {
    void with(FileSystem fileSystem) throws IOException;
  }

  /** With connections of its own: Hadoop closes them with the last file system that uses them. */
  private void as(UserGroupInformation user, Work work) throws IOException, InterruptedException {
    user.doAs(
        (PrivilegedExceptionAction<Void>)
            () -> {
              try (FileSystem fileSystem = FileSystem.newInstance(configuration)) {
                work.with(fileSystem);
              }
              return null;
            });
  }

  private static List<Integer> sequenceNumbers(UserGroupInformation user) throws IOException {
    List<Integer> numbers = new ArrayList<>();
    for (Token<? extends TokenIdentifier> token : user.getTokens()) {
      int number = numberOf(token);
      if (!numbers.contains(number)) {
        numbers.add(number);
      }
    }
    return numbers;
  }

  private static int numberOf(Token<? extends TokenIdentifier> token) throws IOException {
    TokenIdentifier identifier = token.decodeIdentifier();
    return identifier instanceof AbstractDelegationTokenIdentifier
        ? ((AbstractDelegationTokenIdentifier) identifier).getSequenceNumber()
        : -1;
  }

  private static boolean isOfAuthentication(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      String name =
          cause instanceof RemoteException ? ((RemoteException) cause).getClassName() : cause.getClass().getName();
      if (name.matches(".*(InvalidToken|AccessControlException|SaslException|KerberosAuthException)")) {
        return true;
      }
    }
    return false;
  }
}
