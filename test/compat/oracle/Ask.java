import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;
import java.io.*;
import java.lang.reflect.*;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;

/**
 * Asks a broker in Kafka's own words: requests written as JSON go over a socket through Kafka's own codecs, answers come
 * back as JSON. With two brokers it asks both and prints where their answers differ.
 *
 *   Ask MESSAGES.json HOST:PORT [SCRIPT]              one line of JSON for each answer
 *   Ask MESSAGES.json HOST:PORT --diff HOST:PORT [SCRIPT]   the differences; exit status 1 if there are any
 *
 * SCRIPT (or standard input) has a JSON object a line; blank lines and lines that begin with # are passed over:
 *   {"api":"Metadata","version":12,"request":{"topics":null}}   fields left out take their defaults
 *   "on":"b"          another connection (default "a");   "client":"id"   the client id
 *   "nowait":true     do not wait for the answer; a later {"receive":"b"} does, in order
 *   "wait":500        give up after so many ms (default 10000) and answer {"timeout":true}
 *   "save":{"t":"/topics/0/topicId"}   keeps a value of the answer; "$t" as a string stands for it afterwards
 *   "ignore":["/throttleTimeMs","/topics/*\/topicId"]   not compared by --diff (* is any index); plain "name" ignores it anywhere
 *   "retry":{"pointer":"/topics/0/errorCode","until":0}   asks again every 100 ms, at most for 10 s
 *   {"sleep":200}     {"close":"b"}     {"raw":"0000000a...","on":"c"} sends bytes as they are and answers {"closed":true} or {"hex":...}
 * A bytes or records field takes base64 text, or {"hex":"..."}. Answers carry their version's fields by Kafka's JSON names.
 */
public class Ask {
  static final ObjectMapper M = new ObjectMapper();
  static final Map<String, JsonNode> facts = new HashMap<>();

  static boolean in(String range, int v) {
    if (range == null || range.equals("none")) return false;
    if (range.endsWith("+")) return v >= Integer.parseInt(range.substring(0, range.length() - 1));
    int dash = range.indexOf('-', 1);
    return dash > 0 ? v >= Integer.parseInt(range.substring(0, dash)) && v <= Integer.parseInt(range.substring(dash + 1)) : v == Integer.parseInt(range);
  }
  static String text(JsonNode n, String k) { return n.has(k) ? n.get(k).asText() : null; }
  static String camel(String s) { return Character.toLowerCase(s.charAt(0)) + s.substring(1); }

  static JsonNode fill(JsonNode given, JsonNode field, String type, JsonNode commons, int v) throws IOException {
    if (given != null && given.isNull()) return given;
    if (given != null && given.isObject() && given.has("hex")) return BinaryNode.valueOf(HexFormat.of().parseHex(given.get("hex").asText()));
    if (type.startsWith("[]")) {
      if (given == null) return "null".equals(text(field, "default")) && in(text(field, "nullableVersions"), v) ? NullNode.instance : M.createArrayNode();
      ArrayNode a = M.createArrayNode(); for (JsonNode x : given) a.add(fill(x, field, type.substring(2), commons, v)); return a;
    }
    String d = text(field, "default");
    if (Character.isUpperCase(type.charAt(0))) {
      if (given == null && "null".equals(d) && in(text(field, "nullableVersions"), v)) return NullNode.instance;
      return struct(given == null ? M.createObjectNode() : given, field.has("fields") ? field.get("fields") : commons.get(type), commons, v);
    }
    if (given != null) return given;
    if ("null".equals(d)) return NullNode.instance;
    switch (type) {
      case "bool": return BooleanNode.valueOf("true".equals(d));
      case "string": return TextNode.valueOf(d == null ? "" : d);
      case "uuid": return TextNode.valueOf("AAAAAAAAAAAAAAAAAAAAAA");
      case "bytes": case "records": return BinaryNode.valueOf(new byte[0]);
      case "float64": return DoubleNode.valueOf(d == null ? 0 : Double.parseDouble(d));
      default: return d == null || d.isEmpty() ? LongNode.valueOf(0) : LongNode.valueOf(Long.decode(d));
    }
  }
  static ObjectNode struct(JsonNode given, JsonNode fields, JsonNode commons, int v) throws IOException {
    ObjectNode o = M.createObjectNode(); Set<String> known = new HashSet<>();
    for (JsonNode f : fields) {
      String n = camel(text(f, "name")); known.add(n); if (!in(text(f, "versions"), v)) continue;
      boolean tagged = in(text(f, "taggedVersions"), v); if (tagged && !given.has(n)) continue;
      o.set(n, fill(given.get(n), f, text(f, "type"), commons, v));
    }
    for (Iterator<String> k = given.fieldNames(); k.hasNext(); ) { String n = k.next(); if (!known.contains(n)) throw new IOException("no field " + n); }
    return o;
  }
  static byte[] encode(Message m, short v) {
    ObjectSerializationCache c = new ObjectSerializationCache(); ByteBuffer b = ByteBuffer.allocate(m.size(c, v)); m.write(new ByteBufferAccessor(b), c, v); return b.array();
  }

  static class Pending { ApiKeys key; short version; JsonNode step; int id; }
  static class Link { Socket socket; DataInputStream in; OutputStream out; Deque<Pending> pending = new ArrayDeque<>(); }
  static class Target {
    String host; int port; Map<String, Link> links = new HashMap<>(); Map<String, JsonNode> saved = new HashMap<>(); int id = 1;
    Target(String at) { int c = at.lastIndexOf(':'); host = at.substring(0, c); port = Integer.parseInt(at.substring(c + 1)); }
    Link link(String name) throws IOException {
      Link l = links.get(name); if (l != null) return l;
      l = new Link(); l.socket = new Socket(host, port); l.socket.setTcpNoDelay(true); l.in = new DataInputStream(new BufferedInputStream(l.socket.getInputStream())); l.out = l.socket.getOutputStream(); links.put(name, l); return l;
    }
    JsonNode substitute(JsonNode n) {
      if (n.isTextual() && n.asText().startsWith("$") && saved.containsKey(n.asText().substring(1))) return saved.get(n.asText().substring(1));
      if (n.isArray()) { ArrayNode a = M.createArrayNode(); for (JsonNode x : n) a.add(substitute(x)); return a; }
      if (n.isObject()) { ObjectNode o = M.createObjectNode(); n.fields().forEachRemaining(e -> o.set(e.getKey(), substitute(e.getValue()))); return o; }
      return n;
    }
    void send(Link l, JsonNode step) throws Exception {
      String api = text(step, "api"); JsonNode schema = facts.get(api + "Request"); if (schema == null) throw new IOException("no api " + api);
      Pending p = new Pending(); p.key = ApiKeys.forId(schema.get("apiKey").asInt()); p.version = (short) step.get("version").asInt(); p.step = step; p.id = id++;
      ObjectNode commons = M.createObjectNode(); if (schema.has("commonStructs")) for (JsonNode c : schema.get("commonStructs")) commons.set(text(c, "name"), c.get("fields"));
      JsonNode body = struct(substitute(step.has("request") ? step.get("request") : M.createObjectNode()), schema.get("fields"), commons, p.version);
      Class<?> converter = Class.forName("org.apache.kafka.common.message." + api + "RequestDataJsonConverter");
      byte[] message = encode((Message) converter.getMethod("read", JsonNode.class, short.class).invoke(null, body, p.version), p.version);
      short hv = p.key.requestHeaderVersion(p.version);
      byte[] header = encode(new RequestHeaderData().setRequestApiKey(p.key.id).setRequestApiVersion(p.version).setCorrelationId(p.id).setClientId(step.has("client") ? step.get("client").asText() : "ask"), hv);
      ByteBuffer frame = ByteBuffer.allocate(4 + header.length + message.length).putInt(header.length + message.length).put(header).put(message);
      l.out.write(frame.array()); l.out.flush();
      if (p.key != ApiKeys.PRODUCE || body.path("acks").asInt() != 0) l.pending.add(p); // a Produce with acks 0 is never answered
    }
    /** A connection that the broker closed is forgotten: the next step on it opens a new one. */
    JsonNode gone(Link l) throws IOException { links.values().remove(l); l.socket.close(); return M.createObjectNode().put("closed", true); }
    JsonNode receive(Link l, int wait) throws Exception {
      l.socket.setSoTimeout(wait); int size;
      try { size = l.in.readInt(); } catch (SocketTimeoutException e) { return M.createObjectNode().put("timeout", true); } catch (EOFException | SocketException e) { return gone(l); }
      byte[] bytes = new byte[size]; l.in.readFully(bytes); ByteBuffer b = ByteBuffer.wrap(bytes); Pending p = l.pending.poll();
      if (p == null) return M.createObjectNode().put("unexpected", HexFormat.of().formatHex(bytes)); // an answer nobody asked for
      ResponseHeaderData h = new ResponseHeaderData(new ByteBufferAccessor(b), p.key.responseHeaderVersion(p.version));
      if (h.correlationId() != p.id) return M.createObjectNode().put("wrongCorrelationId", h.correlationId()).put("expected", p.id);
      String name = "org.apache.kafka.common.message." + text(p.step, "api") + "ResponseData"; short v = p.version;
      ByteBuffer whole = b.duplicate(); Object data;
      try { data = Class.forName(name).getConstructor(org.apache.kafka.common.protocol.Readable.class, short.class).newInstance(new ByteBufferAccessor(b), v); }
      catch (InvocationTargetException e) { // an ApiVersions answer to a version that the broker does not know is version 0
        v = 0; b = whole; data = Class.forName(name).getConstructor(org.apache.kafka.common.protocol.Readable.class, short.class).newInstance(new ByteBufferAccessor(b), v);
      }
      ObjectNode o = (ObjectNode) Class.forName(name + "JsonConverter").getMethod("write", Class.forName(name), short.class).invoke(null, data, v);
      if (v != p.version) o.put("answeredVersion", v); if (b.hasRemaining()) o.put("bytesLeftOver", b.remaining());
      records(o, data);
      if (p.step.has("save")) for (Iterator<Map.Entry<String, JsonNode>> i = p.step.get("save").fields(); i.hasNext(); ) { var e = i.next(); saved.put(e.getKey(), o.at(e.getValue().asText())); }
      return o;
    }
    /** Kafka's JSON leaves record bytes out of Fetch answers: put them back as hex. */
    static void records(ObjectNode o, Object data) throws Exception {
      if (!(data instanceof FetchResponseData f)) return;
      for (int i = 0; i < f.responses().size(); i++) for (int j = 0; j < f.responses().get(i).partitions().size(); j++) {
        var r = f.responses().get(i).partitions().get(j).records(); if (r == null) continue;
        ByteBuffer b = ((org.apache.kafka.common.record.internal.MemoryRecords) r).buffer().duplicate(); byte[] x = new byte[b.remaining()]; b.get(x);
        ((ObjectNode) o.at("/responses/" + i + "/partitions/" + j)).put("records", HexFormat.of().formatHex(x));
      }
    }
    JsonNode step(JsonNode s) throws Exception {
      String on = s.has("on") ? s.get("on").asText() : "a"; int wait = s.has("wait") ? s.get("wait").asInt() : 10000;
      if (s.has("sleep")) { Thread.sleep(s.get("sleep").asInt()); return null; }
      if (s.has("close")) { Link l = links.remove(s.get("close").asText()); if (l != null) l.socket.close(); return null; }
      if (s.has("receive")) return receive(link(s.get("receive").asText()), wait);
      Link l = link(on);
      if (s.has("raw")) {
        l.out.write(HexFormat.of().parseHex(s.get("raw").asText())); l.out.flush(); l.socket.setSoTimeout(wait);
        try { int n = l.in.readInt(); byte[] b = new byte[n]; l.in.readFully(b); return M.createObjectNode().put("hex", HexFormat.of().formatHex(b)); }
        catch (SocketTimeoutException e) { return M.createObjectNode().put("timeout", true); } catch (EOFException | SocketException e) { return M.createObjectNode().put("closed", true); }
      }
      long end = System.currentTimeMillis() + 10000;
      while (true) {
        try { send(l, s); } catch (SocketException e) { return gone(l); }
        if (s.path("nowait").asBoolean()) return null;
        JsonNode answer = receive(l, wait);
        if (!s.has("retry") || same(answer.at(s.at("/retry/pointer").asText()), s.at("/retry/until")) || System.currentTimeMillis() > end) return answer;
        Thread.sleep(100);
      }
    }
  }

  /** Kafka's converters make a ShortNode or LongNode where the script has an IntNode: numbers are the same by value. */
  static boolean same(JsonNode a, JsonNode b) { return a.isNumber() && b.isNumber() ? a.decimalValue().compareTo(b.decimalValue()) == 0 : a.equals(b); }
  static void compare(String path, JsonNode a, JsonNode b, Set<String> ignore, List<String> out) {
    String last = path.substring(path.lastIndexOf('/') + 1);
    if (ignore.contains(path.replaceAll("/\\d+(?=/|$)", "/*")) || ignore.contains(path) || ignore.contains(last)) return;
    if (a.isObject() && b.isObject()) {
      Set<String> names = new LinkedHashSet<>(); a.fieldNames().forEachRemaining(names::add); b.fieldNames().forEachRemaining(names::add);
      for (String n : names) compare(path + "/" + n, a.path(n), b.path(n), ignore, out);
    } else if (a.isArray() && b.isArray() && a.size() == b.size()) for (int i = 0; i < a.size(); i++) compare(path + "/" + i, a.get(i), b.get(i), ignore, out);
    else if (!a.equals(b)) out.add(path + ": " + (a.isMissingNode() ? "absent" : a) + " | " + (b.isMissingNode() ? "absent" : b));
  }

  public static void main(String[] args) throws Exception {
    JsonNode root = M.readTree(new File(args[0])); for (JsonNode m : root.get("rpc")) facts.put(text(m, "name"), m);
    Target first = new Target(args[1]), second = null; int at = 2;
    if (args.length > at && args[at].equals("--diff")) { second = new Target(args[at + 1]); at += 2; }
    BufferedReader script = args.length > at ? Files.newBufferedReader(Path.of(args[at])) : new BufferedReader(new InputStreamReader(System.in));
    int n = 0, asked = 0, differ = 0; String line;
    while ((line = script.readLine()) != null) {
      n++; if (line.isBlank() || line.stripLeading().startsWith("#")) continue;
      JsonNode s = M.readTree(line), a = first.step(s);
      if (second == null) { if (a != null) { System.out.println(M.writeValueAsString(a)); System.out.flush(); } continue; }
      JsonNode b = second.step(s); if (a == null) continue;
      asked++; Set<String> ignore = new HashSet<>(); if (s.has("ignore")) s.get("ignore").forEach(x -> ignore.add(x.asText()));
      List<String> out = new ArrayList<>(); compare("", a, b, ignore, out);
      if (!out.isEmpty()) { differ++; System.out.println("line " + n + " " + s.path("api").asText() + " v" + s.path("version").asText() + (s.has("about") ? " (" + s.get("about").asText() + ")" : "")); for (String o : out) System.out.println("  " + (o.length() > 400 ? o.substring(0, 400) + "..." : o)); }
    }
    if (second != null) { System.out.println((asked - differ) + " passed, " + differ + " failed"); System.exit(differ == 0 ? 0 : 1); }
  }
}
