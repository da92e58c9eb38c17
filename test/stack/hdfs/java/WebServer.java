import java.io.IOException;
import java.lang.reflect.Field;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.http.HttpServer2;
import org.eclipse.jetty.server.Server;

/**
 * The NameNode's web server, which serves WebHDFS.
 *
 * <p>A NameNode that stops closes its edit log first. A call that comes between the two, a renewal say, waits for that
 * log for ever, and Jetty waits for the call: twice its stop timeout of 30 s, in which neither NameNode of a pair is
 * active. A killed process waits for nobody.
 */
final class WebServer {
  private static final long STOP_TIMEOUT_MS = 500;

  private WebServer() {}

  static void waitForNobody(NameNode nameNode) throws IOException {
    try {
      Field webServer = HttpServer2.class.getDeclaredField("webServer");
      webServer.setAccessible(true);
      ((Server) webServer.get(nameNode.getHttpServer())).setStopTimeout(STOP_TIMEOUT_MS);
    } catch (ReflectiveOperationException failure) {
      throw new IOException(failure);
    }
  }
}
