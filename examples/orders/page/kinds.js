// The orders that the page places: one kind for each thing that there is to see.

/**
 * @typedef {{ id: string, title: string, says: string, sku: string, card: string,
 *   saysOnSqs?: string }} Kind
 */

const APPROVED = "4242424242424242";

/** @type {Kind[]} */
export const KINDS = [
  {
    id: "good",
    title: "All goes well",
    says: "Reserved, paid, shipped, told.",
    sku: "teapot",
    card: APPROVED,
  },
  {
    id: "no-stock",
    title: "Out of stock",
    says: "The order is cancelled. What is paid already is paid back.",
    sku: "kettle",
    card: APPROVED,
  },
  {
    id: "declined",
    title: "Card declined",
    says: "The stock that was set aside is released: a compensation.",
    sku: "cup",
    card: "4000000000000002",
  },
  {
    id: "flaky",
    title: "Provider fails twice",
    says: "The payment is tried three times: retries.",
    sku: "cup",
    card: "4000000000000119",
  },
  {
    id: "silent",
    title: "Charged, then silence",
    says: "No answer isn’t a failure: the provider is asked what it did.",
    sku: "teapot",
    card: "4000000000000259",
  },
  {
    id: "told-twice",
    title: "Provider answers twice",
    says: "The second answer changes nothing.",
    sku: "teapot",
    card: "4000000000000077",
  },
  {
    id: "slow",
    title: "Slow provider",
    says: "It takes up to three seconds; others don’t wait.",
    sku: "teapot",
    card: "4000000000000101",
  },
  {
    id: "twice",
    title: "Sent twice",
    says: "OrderCreated is sent again, as after a crash. Its effects stay single: duplicates.",
    saysOnSqs: "OrderCreated is sent again. The FIFO queues of SQS drop the copy themselves.",
    sku: "teapot",
    card: APPROVED,
  },
  {
    id: "no-paper",
    title: "No paper for the label",
    says: "The label printer runs out. Shipping tries five times, then there is a dead letter: "
      + "put paper in, and retry it.",
    sku: "teapot",
    card: APPROVED,
  },
];

const NAMES = ["Ada", "Grace", "Edsger", "Barbara", "Leslie", "Radia", "Tony", "Frances"];

/** The prefix of the customers of this page: the rest is the kind. */
const CUSTOMER = "page-";

/** The title of the kind that a customer's orders have, if they were placed here. */
export function titleOf(customerId) {
  const kind = KINDS.find((it) => `${CUSTOMER}${it.id}` === customerId);
  return kind ? kind.title : "";
}

/**
 * Places an order of a kind. Returns its id.
 *
 * @param {Kind} kind
 */
export async function place(kind) {
  if (kind.id === "no-paper") await send("PUT", "/shop/printer", { hasPaper: false });
  const name = NAMES[Math.floor(Math.random() * NAMES.length)];
  const accepted = await send("POST", "/orders", {
    customerId: `${CUSTOMER}${kind.id}`,
    customerName: name,
    email: `${name.toLowerCase()}@shop.example`,
    items: [{ sku: kind.sku, quantity: 2, price: 1999 }],
    card: kind.card,
  });
  if (kind.id === "twice") await send("POST", `/orders/${accepted.orderId}/repeat`, {});
  return accepted.orderId;
}

/** Sends JSON, and returns what is answered. */
export async function send(method, path, body) {
  const headers = { "content-type": "application/json" };
  return answered(await fetch(path, { method, headers, body: JSON.stringify(body) }));
}

/** Asks for JSON. */
export async function ask(path) {
  return answered(await fetch(path));
}

async function answered(answer) {
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail || `${answer.status} ${answer.statusText}`);
}
