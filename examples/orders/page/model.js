// What is known of the orders: their messages, and what each service did with each message.
//
// It is made of the entries of `/activity` (see `src/activity.rs`) and of an order's timeline, and
// keeps the latest orders alone.

/** The most orders that are kept. */
export const ORDERS_MAX = 1000;

/** The most messages of an order that are kept. */
export const MESSAGES_MAX = 200;

/** How an order ends. */
const ENDS = { OrderConfirmed: "confirmed", OrderCancelled: "cancelled" };

/** What is counted of an order, by what was done. */
const COUNTED = { duplicate: "duplicates", failed: "retries", callFailed: "retries" };

/** A moment in microseconds. */
export function micros(text) {
  const [, whole, fraction = ""] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(text) ?? [, text];
  return Date.parse(`${whole}Z`) * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

/** A message of an order, and what became of it. */
class Message {
  constructor(about) {
    this.id = about.messageId;
    this.type = about.messageType ?? about.type;
    this.source = about.source;
    this.at = micros(about.sentAt ?? about.at);
    this.cause = about.causationId || null;
    this.trace = about.traceId || null;
    /** The message as JSON text, once the timeline has told it. */
    this.data = "";
    /** What each service did with it, in order. */
    this.marks = new Map();
    /** The dead letters that nobody has dealt with, by service. */
    this.dead = new Map();
    /** Grows with each change. */
    this.version = 0;
  }

  add(entry) {
    const marks = this.marks.get(entry.service) ?? [];
    marks.push({ ...entry, at: micros(entry.at) });
    this.marks.set(entry.service, marks);
    if (entry.what === "dead") this.dead.set(entry.service, entry.letterId);
    else if (entry.what !== "duplicate") this.dead.delete(entry.service);
    this.version += 1;
  }
}

/** An order. */
class Order {
  constructor(id) {
    this.id = id;
    this.status = "open";
    this.customer = "";
    this.customerId = "";
    this.total = 0;
    this.messages = new Map();
    this.counts = { duplicates: 0, retries: 0, undone: 0 };
    /** When its last message happened that ended it. */
    this.endedAt = 0;
  }

  /** The message that is told of, or null if there are too many. */
  message(about) {
    let message = this.messages.get(about.messageId);
    if (!message && this.messages.size < MESSAGES_MAX) {
      message = new Message(about);
      this.messages.set(message.id, message);
      if (ENDS[message.type]) {
        this.status = ENDS[message.type];
        this.endedAt = message.at;
      }
    }
    return message ?? null;
  }

  /** How many dead letters nobody has dealt with. */
  get dead() {
    let count = 0;
    for (const message of this.messages.values()) count += message.dead.size;
    return count;
  }

  /** The messages in the order in which they happened; each after the one that it follows from. */
  sorted() {
    const all = [...this.messages.values()].sort((a, b) => a.at - b.at);
    const placed = new Set();
    const sorted = [];
    const place = (message) => {
      if (!message || placed.has(message.id)) return;
      placed.add(message.id);
      place(this.messages.get(message.cause));
      sorted.push(message);
    };
    all.forEach(place);
    return sorted;
  }
}

export class Model {
  constructor() {
    /** Orders by id. */
    this.orders = new Map();
    /** Their ids. They grow with time, so the first is the oldest order. */
    this.ids = [];
    /** Orders that have changed since somebody has looked. */
    this.changed = new Set();
    /** Orders that were forgotten since somebody has looked. */
    this.forgotten = new Set();
    /** How many messages each service has handled. */
    this.handled = new Map();
    /** The number of the last entry of each start of a process. */
    this.last = new Map();
  }

  /** The order of an id, or null if it is older than all that are kept. */
  order(id) {
    let order = this.orders.get(id);
    if (!order) {
      if (this.ids.length >= ORDERS_MAX && id < this.ids[0]) return null;
      order = new Order(id);
      this.orders.set(id, order);
      let place = this.ids.length;
      while (place > 0 && this.ids[place - 1] > id) place -= 1;
      this.ids.splice(place, 0, id);
      if (this.ids.length > ORDERS_MAX) this.forget(this.ids.shift());
    }
    this.changed.add(order);
    return order;
  }

  forget(id) {
    this.changed.delete(this.orders.get(id));
    this.orders.delete(id);
    this.forgotten.add(id);
  }

  /** An entry of `/activity`. Returns whether it is news: entries come again after interruptions. */
  apply(entry) {
    const [boot, number] = entry.id.split("-");
    if (Number(number) <= (this.last.get(boot) ?? 0)) return false;
    this.last.set(boot, Number(number));
    if (entry.what === "handled") {
      this.handled.set(entry.service, (this.handled.get(entry.service) ?? 0) + 1);
    }
    if (!entry.orderId) return true;
    const order = this.order(entry.orderId);
    const message = order?.message(entry);
    if (!message) return true;
    message.add(entry);
    const counted = COUNTED[entry.what];
    if (counted) order.counts[counted] += 1;
    if (entry.undoes && entry.what === "handled") order.counts.undone += 1;
    return true;
  }

  /** An entry of an order's timeline. */
  tell(orderId, entry) {
    const order = this.order(orderId);
    const message = order?.message(entry);
    if (!message || message.data) return;
    message.data = entry.data;
    message.version += 1;
    if (entry.type === "OrderCreated") {
      const created = JSON.parse(entry.data);
      order.customer = created.customerName;
      order.customerId = created.customerId;
      order.total = created.total;
    }
  }

  /** A row of the read model. */
  summarize(summary) {
    const order = this.order(summary.id);
    if (!order) return;
    order.customer = summary.customerName;
    order.customerId = summary.customerId;
    order.total = summary.total;
    if (summary.status !== "created" && order.status === "open") order.status = summary.status;
  }
}
