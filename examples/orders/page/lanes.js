// An order's messages as rows, and the services as lanes: what each did with each message.

import { duration, make, setText, short } from "./dom.js";

/** How each mark looks, and what it means. */
const LOOKS = {
  sent: { sign: "", says: "sent" },
  handled: { sign: "✓", says: "handled" },
  undone: { sign: "↩", says: "compensation: undone, or refused from now on" },
  duplicate: { sign: "=", says: "duplicate: not handled again" },
  failed: { sign: "1", says: "attempt that failed, with its number" },
  callFailed: { sign: "1", says: "call outside that failed" },
  called: { sign: "3", says: "call that succeeded after failures" },
  deferred: { sign: "…", says: "waits" },
  dropped: { sign: "–", says: "dropped" },
  dead: { sign: "✕", says: "dead letter" },
  revived: { sign: "✕", says: "dead letter that was retried" },
};

/** Those that the legend explains. */
const LEGEND = ["sent", "handled", "duplicate", "failed", "callFailed", "called", "undone", "dead"];

const NUMBERED = ["failed", "callFailed", "called"];

/** A mark. Its sign is for the eye; its text is what is read out, and shown on hovering. */
function mark(look, sign, text) {
  const seen = make("span", { "aria-hidden": "true" }, sign);
  const read = make("span", { class: "unseen" }, `${text}. `);
  return make("span", { class: `mark ${look}`, title: text }, seen, read);
}

export function legend() {
  return LEGEND.map((look) => {
    const { sign, says } = LOOKS[look];
    const seen = make("span", { class: `mark ${look}`, "aria-hidden": "true" }, sign);
    return make("li", {}, seen, ` ${says}`);
  });
}

/** Shows one order. */
export class Lanes {
  /**
   * @param {{ heads: HTMLElement, rows: HTMLElement }} parts
   * @param {(service: string, letterId: string) => void} onRetry
   */
  constructor({ heads, rows }, onRetry) {
    this.heads = heads;
    this.rows = rows;
    this.onRetry = onRetry;
    this.lanes = [];
    this.order = null;
    /** What is shown of each message, by id: its version, and its rows. */
    this.shown = new Map();
  }

  /** The services, in order. */
  setLanes(lanes, handled) {
    const names = lanes.map((lane) => lane.service).join();
    if (names !== this.lanes.map((lane) => lane.service).join()) {
      const message = make("th", { scope: "col", class: "message" }, "message");
      const heads = lanes.map((lane) => make("th", { scope: "col" }, short(lane.service),
        make("span", { class: "state" }), make("span", { class: "handled-count" })));
      this.heads.replaceChildren(message, ...heads);
      this.clear();
    }
    this.lanes = lanes;
    lanes.forEach((lane, index) => {
      const head = this.heads.children[index + 1];
      const [state, count] = head.querySelectorAll("span");
      head.classList.toggle("away", !lane.isUp);
      setText(state, lane.isUp ? "" : "away");
      setText(count, `${handled.get(lane.service) ?? 0} handled`);
    });
  }

  show(order) {
    if (order !== this.order) this.clear();
    this.order = order;
    this.update();
  }

  clear() {
    this.shown.clear();
    this.rows.replaceChildren();
  }

  /** Draws what has changed. Other rows stay as they are, with the focus in them. */
  update() {
    if (!this.order) return;
    const sorted = this.order.sorted();
    const began = sorted[0]?.at ?? 0;
    let place = this.rows.firstChild;
    for (const message of sorted) {
      let shown = this.shown.get(message.id);
      if (!shown) {
        shown = this.row(message);
        this.shown.set(message.id, shown);
      }
      if (shown.version !== message.version || shown.began !== began) {
        Object.assign(shown, { version: message.version, began });
        this.fill(shown, message, began);
      }
      for (const row of [shown.row, shown.details]) {
        if (row === place) place = place.nextSibling;
        else this.rows.insertBefore(row, place);
      }
    }
  }

  row(message) {
    const details = make("tr", { class: "details", hidden: true });
    const toggle = make("button", {
      type: "button",
      "aria-expanded": "false",
      onclick: () => {
        details.hidden = !details.hidden;
        toggle.setAttribute("aria-expanded", String(!details.hidden));
      },
    }, message.type || "a message that nobody can read");
    const time = make("time");
    const from = make("span", { class: "from" }, `from ${short(message.source) || "nobody known"}`);
    const head = make("th", { scope: "row", class: "message" }, time, toggle, from);
    const row = make("tr", { "data-type": message.type }, head);
    row.append(...this.lanes.map((lane) => make("td", { "data-service": lane.service })));
    return { row, details, time, version: -1, began: -1 };
  }

  fill({ row, details, time }, message, began) {
    setText(time, `+${duration(message.at - began)}`);
    const places = this.lanes.map((lane) => lane.service);
    const source = places.indexOf(message.source);
    const touched = places.map((it, index) => index === source || message.marks.has(it));
    const [first, last] = [touched.indexOf(true), touched.lastIndexOf(true)];
    let isUndone = false;
    this.lanes.forEach((lane, index) => {
      const cell = row.children[index + 1];
      const marks = message.marks.get(lane.service) ?? [];
      const children = marks.map((it) => this.markOf(it, message, began));
      isUndone ||= marks.some((it) => it.undoes);
      if (index === source) children.unshift(mark("sent", "", "sent"));
      const letterId = message.dead.get(lane.service);
      if (letterId) {
        const onclick = () => this.onRetry(lane.service, letterId);
        children.push(make("button", { type: "button", class: "retry", onclick }, "Retry"));
      }
      cell.className = "";
      if (index > first && index <= last) cell.classList.add("from-left");
      if (index >= first && index < last) cell.classList.add("to-right");
      cell.replaceChildren(make("div", { class: "marks" }, ...children));
    });
    row.classList.toggle("undoing", isUndone);
    const filled = make("td", { colspan: this.lanes.length + 1 }, ...facts(message, began));
    details.replaceChildren(filled);
  }

  markOf(it, message, began) {
    let look = it.what === "handled" && it.undoes ? "undone" : it.what;
    if (look === "dead" && message.dead.get(it.service) !== it.letterId) look = "revived";
    const sign = NUMBERED.includes(look) ? String(it.attempt) : LOOKS[look].sign;
    return mark(look, sign, `${inWords(it, look)}, +${duration(it.at - began)}`);
  }
}

function inWords(it, look) {
  const error = it.error ? `: ${it.error}` : "";
  switch (look) {
    case "failed": return `attempt ${it.attempt} failed${error}`;
    case "callFailed": return `call ${it.attempt} failed${error}`;
    case "called": return `call ${it.attempt} succeeded`;
    case "dead": return `dead letter after ${it.attempt} attempts${error}`;
    default: return LOOKS[look].says;
  }
}

/** Everything that is known of a message. */
function facts(message, began) {
  const list = make("dl");
  const fact = (name, value) => {
    if (value) list.append(make("dt", {}, name), make("dd", {}, value));
  };
  fact("message", message.id);
  fact("follows from", message.cause);
  fact("trace", message.trace);
  for (const [service, marks] of message.marks) {
    for (const it of marks) {
      const look = it.what === "handled" && it.undoes ? "undone" : it.what;
      fact(`+${duration(it.at - began)} ${short(service)}`, inWords(it, look));
    }
  }
  const data = message.data ? [make("pre", {}, pretty(message.data))] : [];
  return [list, ...data];
}

function pretty(data) {
  try {
    return JSON.stringify(JSON.parse(data), null, 2);
  } catch {
    return data;
  }
}
