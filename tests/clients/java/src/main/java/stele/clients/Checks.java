package stele.clients;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.Callable;

/**
 * The runner of the Java suites: a check is a claim with a body; it fails by throwing.
 * Prints one line per check and the totals as the last line.
 */
public final class Checks {
    /** The code that shows a claim. */
    public interface Body {
        void run() throws Exception;
    }

    private static final long POLL_MS = 20;

    private final String suite;
    private final Map<String, Body> bodies = new LinkedHashMap<>();

    public Checks(String suite) {
        this.suite = suite;
    }

    /** Registers a check under its claim. */
    public void add(String claim, Body body) {
        if (bodies.put(claim, body) != null) {
            throw new IllegalArgumentException("the claim stands twice: " + claim);
        }
    }

    /** Runs the checks whose claim contains {@code wanted}; returns whether all passed. */
    public boolean run(String wanted) {
        int passed = 0;
        int failed = 0;
        for (Map.Entry<String, Body> check : bodies.entrySet()) {
            if (!check.getKey().contains(wanted)) {
                continue;
            }
            long started = System.nanoTime();
            try {
                check.getValue().run();
                passed++;
                long millis = (System.nanoTime() - started) / 1_000_000;
                System.out.printf("ok   %s.%s (%d ms)%n", suite, check.getKey(), millis);
            } catch (Exception | AssertionError error) {
                failed++;
                System.out.printf("FAIL %s.%s: %s: %s%n", suite, check.getKey(), place(error), error);
            }
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 && passed > 0;
    }

    /** The endpoint from the environment, or the default. */
    public static String address(String variable, String customary) {
        return System.getenv().getOrDefault(variable, customary);
    }

    /** A name not used by any other check or earlier run. */
    public static String unique(String prefix) {
        return prefix + "-" + UUID.randomUUID().toString().substring(0, 13);
    }

    /** Compares, and shows both values if they differ. */
    public static void equal(Object found, Object expected) {
        if (!Objects.deepEquals(found, expected)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }

    public static void holds(boolean condition, Object shown) {
        if (!condition) {
            throw new AssertionError("not so: " + shown);
        }
    }

    /** Polls until the condition holds, for a minute at most. */
    public static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not so within 60 s: " + what);
            }
            Thread.sleep(POLL_MS);
        }
    }

    /** Runs the body, which must fail, and returns the innermost cause of that kind. */
    public static <E extends Throwable> E raised(Class<E> kind, Body body) {
        try {
            body.run();
        } catch (Exception error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (kind.isInstance(cause)) {
                    return kind.cast(cause);
                }
            }
            throw new AssertionError("expected " + kind.getSimpleName() + ", found " + error, error);
        }
        throw new AssertionError("expected " + kind.getSimpleName() + ", but nothing was thrown");
    }

    private static String place(Throwable error) {
        for (StackTraceElement frame : error.getStackTrace()) {
            if (frame.getClassName().startsWith("stele.clients.") && !frame.getClassName().contains(".Checks")) {
                return frame.getFileName() + ":" + frame.getLineNumber();
            }
        }
        return "?";
    }
}
