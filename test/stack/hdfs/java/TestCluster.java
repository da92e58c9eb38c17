import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.ha.HAServiceProtocol.HAServiceState;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.DatanodeReportType;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.SafeModeAction;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.authorize.ProxyUsers;

/** MiniDFSCluster with one or two NameNodes at known addresses, and what a test wants to do to it. */
final class TestCluster {
  private final Configuration configuration;
  private final MiniDFSCluster cluster;
  private final int nameNodes;
  private final String[] users;
  private final String proxyHosts;
  private final String proxiedUsers;
  private final long renewIntervalMs;
  private final long maxLifetimeMs;

  private TestCluster(Configuration configuration, MiniDFSCluster cluster, int nameNodes) {
    this.configuration = configuration;
    this.cluster = cluster;
    this.nameNodes = nameNodes;
    this.users = configuration.getTrimmedStrings("kerbridge.stack.home-directories");
    this.proxyHosts = configuration.get(proxyPrefix() + ".hosts");
    this.proxiedUsers = configuration.get(proxyPrefix() + ".users");
    this.renewIntervalMs = configuration.getLong("dfs.namenode.delegation.token.renew-interval", 0);
    this.maxLifetimeMs = configuration.getLong("dfs.namenode.delegation.token.max-lifetime", 0);
  }

  static TestCluster start(Configuration configuration) throws Exception {
    UserGroupInformation.setConfiguration(configuration);
    UserGroupInformation.loginUserFromKeytab(
        configuration.get("dfs.namenode.kerberos.principal"), configuration.get("dfs.namenode.keytab.file"));

    int[] rpcPorts = configuration.getInts("kerbridge.stack.rpc-ports");
    int[] httpPorts = configuration.getInts("kerbridge.stack.http-ports");
    String nameservice = configuration.getTrimmed("kerbridge.stack.nameservice", "");
    boolean highAvailability = !nameservice.isEmpty();
    MiniDFSNNTopology topology = new MiniDFSNNTopology();
    MiniDFSNNTopology.NSConf names =
        new MiniDFSNNTopology.NSConf(highAvailability ? nameservice : null);
    for (int index = 0; index < rpcPorts.length; index++) {
      names.addNN(
          new MiniDFSNNTopology.NNConf(highAvailability ? "nn" + index : null)
              .setIpcPort(rpcPorts[index])
              .setHttpPort(httpPorts[index]));
    }
    topology.addNameservice(names);

    MiniDFSCluster cluster =
        new MiniDFSCluster.Builder(configuration, new File(configuration.get("hdfs.minidfs.basedir")))
            .nnTopology(topology)
            .numDataNodes(1)
            .checkDataNodeAddrConfig(true)
            .checkExitOnShutdown(false)
            .build();
    TestCluster started = new TestCluster(configuration, cluster, rpcPorts.length);
    if (highAvailability) {
      cluster.transitionToActive(0);
    }
    cluster.waitActive();
    started.makeHomeDirectories();
    return started;
  }

  private static final String COOKIE_LIFETIME = "hadoop.http.authentication.token.validity";

  private void makeHomeDirectories() throws IOException {
    try (FileSystem fileSystem = activeFileSystem()) {
      Path root = new Path("/");
      fileSystem.setPermission(root, new FsPermission((short) 0755));
      Path temporary = new Path("/tmp");
      fileSystem.mkdirs(temporary);
      fileSystem.setPermission(temporary, new FsPermission((short) 01777));
      for (String user : users) {
        Path home = new Path("/user/" + user);
        Path file = new Path(home, "hello.txt");
        fileSystem.mkdirs(home);
        try (FSDataOutputStream out = fileSystem.create(file)) {
          out.write(("hello from " + user + "\n").getBytes(StandardCharsets.UTF_8));
        }
        fileSystem.setOwner(file, user, user);
        fileSystem.setPermission(file, new FsPermission((short) 0600));
        fileSystem.setOwner(home, user, user);
        fileSystem.setPermission(home, new FsPermission((short) 0700));
      }
    }
  }

  private FileSystem activeFileSystem() throws IOException {
    for (int index = 0; index < nameNodes; index++) {
      if (isActive(index)) {
        String address = "hdfs://localhost:" + cluster.getNameNodePort(index);
        return FileSystem.newInstance(URI.create(address), configuration);
      }
    }
    throw new IOException("no NameNode is active");
  }

  int count() {
    return nameNodes;
  }

  /** The live NameNode; throws when it is stopped. */
  NameNode nameNode(int index) throws IOException {
    NameNode nameNode = cluster.getNameNode(index);
    if (nameNode == null) {
      throw new IOException("NameNode " + index + " is stopped");
    }
    return nameNode;
  }

  boolean isRunning(int index) {
    return cluster.getNameNode(index) != null;
  }

  private boolean isActive(int index) {
    NameNode nameNode = cluster.getNameNode(index);
    return nameNode != null && nameNode.isActiveState();
  }

  /** What a probe needs: everything that can be wrong with the cluster, in words, and the state of each NameNode. */
  Map<String, Object> health() {
    List<Object> states = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    int active = 0;
    for (int index = 0; index < nameNodes; index++) {
      Map<String, Object> state = new TreeMap<>();
      states.add(state);
      state.put("nn", index);
      NameNode nameNode = cluster.getNameNode(index);
      if (nameNode == null) {
        state.put("state", "stopped");
        problems.add("NameNode " + index + " is stopped");
        continue;
      }
      state.put("state", nameNode.isActiveState() ? "active" : nameNode.isStandbyState() ? "standby" : "starting");
      boolean safeMode = nameNode.isInSafeMode();
      state.put("safeMode", safeMode);
      try {
        if (!DelegationTokens.haveLifetimes(nameNode, renewIntervalMs, maxLifetimeMs)) {
          problems.add("token lifetimes of NameNode " + index + " were changed by a test");
        }
      } catch (ReflectiveOperationException failure) {
        problems.add(failure.toString());
      }
      if (nameNode.isActiveState()) {
        active++;
        if (safeMode) {
          problems.add("NameNode " + index + " is in safe mode");
        }
      }
    }
    if (!proxyHosts.equals(configuration.get(proxyPrefix() + ".hosts"))
        || !proxiedUsers.equals(configuration.get(proxyPrefix() + ".users"))) {
      problems.add("proxy-user rules were changed by a test");
    }
    if (active != 1) {
      problems.add(active + " NameNodes are active, wanted one");
    } else {
      try {
        checkData();
      } catch (IOException failure) {
        problems.add(failure.toString().split("\n", 2)[0]);
      }
    }
    Map<String, Object> health = new TreeMap<>();
    health.put("healthy", problems.isEmpty());
    health.put("problems", problems);
    health.put("nameNodes", states);
    return health;
  }

  private void checkData() throws IOException {
    for (int index = 0; index < nameNodes; index++) {
      if (!isActive(index)) {
        continue;
      }
      int live = nameNode(index).getRpcServer().getDatanodeReport(DatanodeReportType.LIVE).length;
      if (live < 1) {
        throw new IOException("no live DataNode");
      }
      for (String user : users) {
        String home = "/user/" + user;
        if (nameNode(index).getRpcServer().getFileInfo(home) == null) {
          throw new IOException(home + " does not exist");
        }
      }
    }
  }

  void setSafeMode(int index, boolean on) throws IOException {
    nameNode(index)
        .getRpcServer()
        .setSafeMode(on ? SafeModeAction.SAFEMODE_ENTER : SafeModeAction.SAFEMODE_LEAVE, false);
  }

  /** Makes the NameNode active; whoever was active before becomes standby first. */
  synchronized void makeActive(int index) throws IOException {
    nameNode(index);
    for (int other = 0; other < nameNodes; other++) {
      if (other != index && isActive(other)) {
        cluster.transitionToStandby(other);
      }
    }
    if (!isActive(index)) {
      cluster.transitionToActive(index);
    }
  }

  synchronized void makeStandby(int index) throws IOException {
    if (isActive(index)) {
      cluster.transitionToStandby(index);
    }
  }

  synchronized void stop(int index) throws IOException {
    nameNode(index);
    shutDown(index);
  }

  /** Starts a stopped NameNode. In an HA pair it comes up as standby, as a real one does. */
  synchronized void start(int index) throws IOException {
    if (cluster.getNameNode(index) != null) {
      throw new IOException("NameNode " + index + " is running already");
    }
    startNameNode(index);
  }

  /** Stops and starts the NameNode; it gets its role back unless another one has become active meanwhile. */
  synchronized void restart(int index) throws IOException {
    boolean wasActive = isActive(index);
    if (cluster.getNameNode(index) != null) {
      shutDown(index);
    }
    startNameNode(index);
    if (nameNodes > 1 && wasActive) {
      makeActive(index);
    }
  }

  /** For {@code hadoop.auth} cookies given from now on; needs a restart of the NameNode, which this does. */
  synchronized void setCookieLifetime(int index, Long seconds) throws IOException {
    Configuration ofNameNode = cluster.getConfiguration(index);
    if (seconds == null) {
      ofNameNode.unset(COOKIE_LIFETIME);
    } else {
      ofNameNode.setLong(COOKIE_LIFETIME, seconds);
    }
    restart(index);
  }

  /** Takes back whatever was changed through this class. */
  synchronized void reset() throws Exception {
    refreshProxyUsers(proxyHosts, proxiedUsers);
    for (int index = 0; index < nameNodes; index++) {
      if (cluster.getConfiguration(index).get(COOKIE_LIFETIME) != null) {
        setCookieLifetime(index, null);
      }
    }
    for (int index = 0; index < nameNodes; index++) {
      if (cluster.getNameNode(index) == null) {
        startNameNode(index);
      }
      DelegationTokens.setLifetimes(nameNode(index), renewIntervalMs, maxLifetimeMs);
    }
    makeActive(0);
    for (int index = 0; index < nameNodes; index++) {
      if (nameNode(index).isInSafeMode()) {
        setSafeMode(index, false);
      }
    }
  }

  private String proxyPrefix() {
    return "hadoop.proxyuser." + configuration.get("kerbridge.stack.proxy-user");
  }

  private void shutDown(int index) throws IOException {
    WebServer.waitForNobody(nameNode(index));
    cluster.shutdownNameNode(index);
  }

  private void startNameNode(int index) throws IOException {
    // "false": don't wait for an active state, which a standby never reaches.
    cluster.restartNameNode(index, false);
    for (int round = 0; nameNode(index).isInSafeMode(); round++) {
      if (round == 600) {
        throw new IOException("NameNode " + index + " does not leave safe mode");
      }
      try {
        Thread.sleep(50);
      } catch (InterruptedException interrupted) {
        throw new IOException(interrupted);
      }
    }
  }

  /** What {@code dfsadmin -refreshSuperUserGroupsConfiguration} does after an edit of core-site.xml. */
  synchronized void refreshProxyUsers(String hosts, String users) {
    if (hosts != null) {
      configuration.set(proxyPrefix() + ".hosts", hosts);
    }
    if (users != null) {
      configuration.set(proxyPrefix() + ".users", users);
    }
    ProxyUsers.refreshSuperUserGroupsConfiguration(configuration);
  }
}
