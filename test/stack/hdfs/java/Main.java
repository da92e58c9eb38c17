import java.io.File;
import java.net.InetSocketAddress;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.HdfsConfiguration;

/**
 * A secure HDFS for tests in one JVM, and its control server. The only argument is a Hadoop configuration file: the
 * settings of the servers, and the {@code kerbridge.stack.*} properties read in this class and in {@link TestCluster}.
 * It runs until it is killed.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 1 || !new File(args[0]).isFile()) {
      System.err.println("usage: Main CONFIGURATION.xml");
      System.exit(2);
    }
    Configuration configuration = new HdfsConfiguration();
    configuration.addResource(new Path(new File(args[0]).toURI()));

    TestCluster cluster = null;
    try {
      cluster = TestCluster.start(configuration);
      InetSocketAddress address =
          new InetSocketAddress("127.0.0.1", configuration.getInt("kerbridge.stack.control-port", 0));
      ControlServer.start(address, cluster);
    } catch (Throwable failure) {
      // Hadoop leaves non-daemon threads behind a failed start: without halt() the process would linger.
      failure.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
    System.out.println("cluster is up");
  }
}
