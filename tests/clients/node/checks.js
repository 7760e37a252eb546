// The runner of the Node suites: a check is a named claim with an asynchronous function; it
// fails by throwing.

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { setTimeout as pause } from "node:timers/promises";

const LIMIT_MS = 60_000;

// Runs the checks, prints one line each and the totals, and ends the process. An argument on the
// command line selects the checks whose claim contains it.
export async function run(suite, all) {
  const wanted = process.argv[2] ?? "";
  let passed = 0;
  let failed = 0;
  for (const [claim, shows] of Object.entries(all)) {
    if (!claim.includes(wanted)) continue;
    const started = Date.now();
    try {
      await within(shows());
      passed += 1;
      console.log(`ok   ${suite}.${claim} (${Date.now() - started} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${suite}.${claim}: ${String(error).replace(/\s+/g, " ")}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

function within(promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not done within ${LIMIT_MS} ms`)), LIMIT_MS).unref();
  });
  return Promise.race([promise, late]);
}

// A name not used by any other check or earlier run.
export function unique(prefix) {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}

// Compares, and shows both values if they differ.
export function equal(found, expected) {
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(`expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
  }
}

// Polls until the condition holds, within the check's time limit.
export async function eventually(condition) {
  while (!(await condition())) await pause(20);
}
