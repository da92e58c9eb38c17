import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;

/** What tests do to the cluster, over HTTP on loopback: GET asks, POST changes; parameters in the query. */
final class ControlServer {
  private interface Action {
    /** The answer, made JSON; null for none. */
    Object run(Query query) throws Exception;
  }

  private ControlServer() {}

  static void start(InetSocketAddress address, TestCluster cluster) throws IOException {
    HttpServer server = HttpServer.create(address, 0);
    // Health must be answered while a restart runs.
    server.setExecutor(
        Executors.newCachedThreadPool(
            task -> {
              Thread thread = new Thread(task, "control");
              thread.setDaemon(false);
              return thread;
            }));
    route(server, "GET", "/health", query -> cluster.health());
    route(server, "GET", "/tokens", query -> DelegationTokens.of(cluster.nameNode(query.nameNode(cluster))));
    change(server, "/safemode", q -> cluster.setSafeMode(q.nameNode(cluster), q.flag("on")));
    change(server, "/ha/active", q -> cluster.makeActive(q.nameNode(cluster)));
    change(server, "/ha/standby", q -> cluster.makeStandby(q.nameNode(cluster)));
    change(server, "/namenode/stop", q -> cluster.stop(q.nameNode(cluster)));
    change(server, "/namenode/start", q -> cluster.start(q.nameNode(cluster)));
    change(server, "/namenode/restart", q -> cluster.restart(q.nameNode(cluster)));
    change(server, "/cookie-lifetime", q -> cluster.setCookieLifetime(q.nameNode(cluster), q.number("seconds")));
    change(server, "/refresh-proxy-users", q -> cluster.refreshProxyUsers(q.text("hosts"), q.text("users")));
    change(
        server,
        "/token-lifetimes",
        q -> {
          for (int index = 0; index < cluster.count(); index++) {
            if (cluster.isRunning(index)) {
              DelegationTokens.setLifetimes(
                  cluster.nameNode(index), q.number("renewIntervalMs"), q.number("maxLifetimeMs"));
            }
          }
        });
    change(server, "/reset", q -> cluster.reset());
    server.start();
  }

  private interface Change {
    void run(Query query) throws Exception;
  }

  private static void change(HttpServer server, String path, Change change) {
    route(
        server,
        "POST",
        path,
        query -> {
          change.run(query);
          return Map.of("ok", true);
        });
  }

  private static void route(HttpServer server, String method, String path, Action action) {
    server.createContext(
        path,
        exchange -> {
          int status = 200;
          Object answer;
          if (!exchange.getRequestURI().getPath().equals(path)) {
            status = 404;
            answer = Map.of("error", "no such path");
          } else if (!exchange.getRequestMethod().equals(method)) {
            status = 405;
            answer = Map.of("error", "use " + method);
          } else {
            try {
              answer = action.run(new Query(exchange.getRequestURI().getRawQuery()));
            } catch (IllegalArgumentException problem) {
              status = 400;
              answer = Map.of("error", String.valueOf(problem.getMessage()));
            } catch (Throwable failure) {
              failure.printStackTrace();
              status = 500;
              answer = Map.of("error", failure.toString());
            }
          }
          reply(exchange, status, answer);
        });
  }

  private static void reply(HttpExchange exchange, int status, Object answer) throws IOException {
    byte[] body = json(answer).getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, body.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(body);
    }
  }

  /** Maps, lists, strings, numbers and booleans. */
  static String json(Object value) {
    if (value instanceof Map) {
      StringBuilder out = new StringBuilder("{");
      for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
        out.append(out.length() > 1 ? "," : "").append(json(entry.getKey())).append(':').append(json(entry.getValue()));
      }
      return out.append('}').toString();
    }
    if (value instanceof List) {
      StringBuilder out = new StringBuilder("[");
      for (Object element : (List<?>) value) {
        out.append(out.length() > 1 ? "," : "").append(json(element));
      }
      return out.append(']').toString();
    }
    if (value instanceof Number || value instanceof Boolean) {
      return value.toString();
    }
    StringBuilder out = new StringBuilder("\"");
    for (char character : String.valueOf(value).toCharArray()) {
      if (character == '"' || character == '\\') {
        out.append('\\').append(character);
      } else if (character < 0x20) {
        out.append(String.format("\\u%04x", (int) character));
      } else {
        out.append(character);
      }
    }
    return out.append('"').toString();
  }

  /** The query of a request; IllegalArgumentException (answered with 400) for what is missing or no number. */
  private static final class Query {
    private final Map<String, String> values = new TreeMap<>();

    Query(String raw) {
      for (String pair : raw == null ? new String[0] : raw.split("&")) {
        String[] parts = pair.split("=", 2);
        if (parts.length == 2) {
          values.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
      }
    }

    String text(String name) {
      return values.get(name);
    }

    Long number(String name) {
      String value = values.get(name);
      try {
        return value == null ? null : Long.valueOf(value);
      } catch (NumberFormatException problem) {
        throw new IllegalArgumentException(name + ": not a number: " + value);
      }
    }

    boolean flag(String name) {
      String value = values.get(name);
      if (!"true".equals(value) && !"false".equals(value)) {
        throw new IllegalArgumentException(name + ": want true or false, got " + value);
      }
      return Boolean.parseBoolean(value);
    }

    /** The parameter {@code nn}, 0 when absent. */
    int nameNode(TestCluster cluster) {
      Long number = number("nn");
      int index = number == null ? 0 : number.intValue();
      if (index < 0 || index >= cluster.count()) {
        throw new IllegalArgumentException("nn: there are " + cluster.count() + " NameNodes, counted from 0");
      }
      return index;
    }
  }
}
