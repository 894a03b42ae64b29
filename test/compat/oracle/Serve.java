import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;
import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.util.*;
import java.util.concurrent.ConcurrentLinkedDeque;
import org.apache.kafka.common.utils.Exit;
import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Runs Kafka's command line tools one after the other in one virtual machine, which spares each of them the start.
 *
 *   Serve NAME=CLASS...     the tools' names and their main classes
 *
 * Standard input has a JSON object a line, and standard output one for each:
 *   {"tool":"topics","args":["--list"],"input":"text"}    ->    {"code":0,"stdout":"...","stderr":"..."}
 * It ends when its standard input does.
 */
public class Serve {
  /** Takes a tool out of its main method when it asks for the end of the process. */
  static final class Ended extends Error {
    Ended() { super(null, null, false, false); }
  }

  static final ObjectMapper M = new ObjectMapper();
  static final Deque<Runnable> hooks = new ConcurrentLinkedDeque<>();
  /** What the tool has asked to end with, the first time; null while it has not. */
  static volatile Integer status;

  static void end(int code) {
    if (status == null) status = code;
    throw new Ended();
  }

  static void runTool(String main, String[] args) throws Throwable {
    try {
      Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  static JsonNode answer(String main, JsonNode asked) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
    System.setIn(new ByteArrayInputStream(asked.path("input").asText("").getBytes(UTF_8)));
    System.setOut(new PrintStream(out, true, UTF_8));
    System.setErr(new PrintStream(err, true, UTF_8));
    status = null;
    try {
      runTool(main, M.convertValue(asked.get("args"), String[].class));
    } catch (Ended e) {
      // Its status is kept.
    } catch (Throwable e) {
      if (status == null) status = 1;
      e.printStackTrace();
    }
    for (Runnable hook; (hook = hooks.pollFirst()) != null;) hook.run();
    System.out.flush();
    System.err.flush();
    return M.createObjectNode().put("code", status == null ? 0 : status).put("stdout", out.toString(UTF_8)).put("stderr", err.toString(UTF_8));
  }

  public static void main(String[] args) throws IOException {
    Map<String, String> mains = new HashMap<>();
    for (String arg : args) mains.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
    Exit.setExitProcedure((code, message) -> end(code));
    Exit.setHaltProcedure((code, message) -> end(code));
    Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
    PrintStream answers = System.out;
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line; (line = lines.readLine()) != null;) {
      JsonNode asked = M.readTree(line);
      String main = mains.get(asked.get("tool").asText());
      if (main == null) throw new IOException("no such tool: " + asked.get("tool"));
      answers.println(answer(main, asked));
    }
    System.exit(0);
  }
}
