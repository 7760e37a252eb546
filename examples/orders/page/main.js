// Joins the page's parts: what comes goes into the model, and what has changed is drawn soon.

import { duration, make, part, setText, short } from "./dom.js";
import { KINDS, ask, place, send, titleOf } from "./kinds.js";
import { Lanes, legend } from "./lanes.js";
import { OrderList, showLetters } from "./lists.js";
import { Model } from "./model.js";

const model = new Model();
const orders = new OrderList(part("order-list"), (id) => select(id));
const lanes = new Lanes({ heads: part("lane-heads"), rows: part("messages") }, retryOf);

let shop = { transport: "", style: "", lanes: [] };
let selected = null;
let timeline = null;
let isPaused = false;
let isDrawing = false;
let trays = [];

/** The time between two drawings: nobody reads faster, and the shop needs the processor too. */
const DRAW_EVERY_MILLIS = 100;

let drawnAt = -DRAW_EVERY_MILLIS;

/** Draws soon. */
function draw() {
  if (isDrawing || isPaused) return;
  isDrawing = true;
  const wait = Math.max(0, drawnAt + DRAW_EVERY_MILLIS - performance.now());
  setTimeout(() => requestAnimationFrame(() => {
    isDrawing = false;
    drawnAt = performance.now();
    for (const id of model.forgotten) orders.forget(id);
    for (const order of model.changed) orders.update(order);
    model.forgotten.clear();
    model.changed.clear();
    drawTally();
    lanes.setLanes(shop.lanes, model.handled);
    if (!selected && model.ids.length) select(named() || model.ids.at(-1));
    drawOrder();
  }), wait);
}

function drawTally() {
  const counts = { open: 0, confirmed: 0, cancelled: 0 };
  for (const order of model.orders.values()) counts[order.status] += 1;
  const { open, confirmed, cancelled } = counts;
  const text = `${confirmed} confirmed, ${cancelled} cancelled, ${open} open`;
  setText(part("tally"), model.orders.size ? text : "None yet.");
}

function drawOrder() {
  const order = selected && model.orders.get(selected);
  if (!order) return;
  lanes.show(order);
  const title = titleOf(order.customerId) || "Order";
  setText(part("order-title"), `${title}: ${short(order.id)}`);
  const began = order.sorted()[0]?.at;
  const took = order.endedAt && began ? ` after ${duration(order.endedAt - began)}` : "";
  const of = order.customer ? `${order.customer}, ${(order.total / 100).toFixed(2)} EUR: ` : "";
  const facts = part("facts");
  const text = `${of}${order.status}${took}. `;
  if (facts.dataset.text === text && facts.dataset.order === order.id) return;
  Object.assign(facts.dataset, { text, order: order.id, status: order.status });
  const link = (path, name) => make("a", { href: `/orders/${order.id}${path}` }, name);
  facts.replaceChildren(text, "As JSON: ", link("", "order"), ", ", link("/history", "history"),
    ", ", link("/timeline", "timeline"), ".");
}

/** The order that the address names. */
function named() {
  return location.hash.slice(1);
}

function select(id) {
  if (!id || id === selected) return;
  selected = id;
  history.replaceState(null, "", `#${id}`);
  orders.select(id);
  timeline?.close();
  timeline = new EventSource(`/orders/${id}/timeline`);
  timeline.onmessage = (event) => {
    model.tell(id, JSON.parse(event.data));
    draw();
  };
  draw();
}

/** How long a text about what was done stays. */
const SAID_MILLIS = 6000;

let forgetting = 0;

function say(text) {
  setText(part("said"), text);
  clearTimeout(forgetting);
  forgetting = setTimeout(() => setText(part("said"), ""), SAID_MILLIS);
}

/** Does something that a button asks for; tells if it fails. */
async function attempt(button, doing) {
  button.disabled = true;
  try {
    await doing();
  } catch (error) {
    say(error.message);
  }
  button.disabled = false;
}

function retryOf(service, letterId) {
  const lane = shop.lanes.find((it) => it.service === service);
  retry(lane ? lane.process : "order", letterId);
}

async function retry(process, letterId) {
  try {
    await send("POST", `/shop/dead/${process}/${letterId}/retry`, {});
    say(`The dead letter of ${process} is handled again.`);
  } catch (error) {
    say(`The dead letter of ${process} can’t be retried: ${error.message}`);
  }
  look();
}

let isLooking = false;
let isToLookAgain = false;

/** Looks for dead letters and for the printer's paper; never twice at the same time. */
async function look() {
  isToLookAgain = true;
  if (isLooking) return;
  isLooking = true;
  while (isToLookAgain) {
    isToLookAgain = false;
    try {
      trays = await ask("/shop/dead");
      const count = showLetters(part("letter-list"), trays, { onRetry: retry, onSelect: select });
      part("letters").hidden = count === 0;
      part("no-letters").hidden = count > 0;
      setText(part("dead-title"), count ? `Dead letters: ${count}` : "Dead letters");
      drawPrinter(await ask("/shop/printer"));
    } catch (error) {
      setText(part("paper"), `Shipping doesn’t answer: ${error.message}`);
      part("fill").hidden = true;
    }
  }
  isLooking = false;
}

function drawPrinter({ hasPaper }) {
  const text = hasPaper ? "has paper" : "is out of paper, so nothing can be shipped";
  setText(part("paper"), `The label printer of the shipping service ${text}.`);
  part("printer").classList.toggle("empty", !hasPaper);
  const fill = part("fill");
  fill.hidden = false;
  fill.dataset.hasPaper = String(!hasPaper);
  setText(fill, hasPaper ? "Take the paper out" : "Put paper in");
}

function followActivity() {
  const activity = new EventSource("/activity");
  const connection = (state, text) => {
    part("connection").dataset.state = state;
    setText(part("connection"), text);
  };
  activity.onopen = () => {
    connection("live", "live");
    look();
  };
  activity.onerror = () => connection("away", "the order service is away; trying again …");
  activity.onmessage = (event) => {
    const entry = JSON.parse(event.data);
    if (!model.apply(entry)) return;
    if (entry.what === "dead" || (entry.what === "handled" && isDead(entry))) look();
    draw();
  };
  activity.addEventListener("shop", (event) => {
    const wasUp = shop.lanes.filter((lane) => lane.isUp).length;
    shop = JSON.parse(event.data);
    setText(part("about"), `${shop.style}, over ${shop.transport}`);
    for (const kind of KINDS.filter((it) => it.saysOnSqs && shop.transport === "sqs")) {
      setText(document.querySelector(`[data-kind="${kind.id}"] span`), kind.saysOnSqs);
    }
    if (shop.lanes.filter((lane) => lane.isUp).length !== wasUp) look();
    draw();
  });
}

/** Whether the list has a dead letter of a message that was handled now. */
function isDead(entry) {
  const all = trays.flatMap((tray) => tray.letters ?? []);
  return all.some((it) => it.messageId === entry.messageId && it.service === entry.service);
}

function addButtons() {
  for (const kind of KINDS) {
    const onclick = () => attempt(button, async () => {
      const id = await place(kind);
      say(`An order is placed: ${kind.title}.`);
      const order = model.order(id);
      if (order) order.customerId ||= `page-${kind.id}`;
      select(id);
      if (kind.id === "no-paper") look();
    });
    const button = make("button", { type: "button", "data-kind": kind.id, onclick },
      make("strong", {}, kind.title), make("span", {}, kind.says));
    part("kinds").append(make("li", {}, button));
  }
  part("legend").append(...legend());
  part("filter").addEventListener("change", (event) => {
    orders.filter = event.target.value;
    for (const order of model.orders.values()) model.changed.add(order);
    draw();
  });
  part("pause").addEventListener("click", (event) => {
    isPaused = !isPaused;
    event.target.setAttribute("aria-pressed", String(isPaused));
    setText(event.target, isPaused ? "Go on" : "Pause");
    draw();
  });
  part("fill").addEventListener("click", (event) => attempt(event.target, async () => {
    const hasPaper = event.target.dataset.hasPaper === "true";
    drawPrinter(await send("PUT", "/shop/printer", { hasPaper }));
  }));
  part("retry-all").addEventListener("click", (event) => attempt(event.target, async () => {
    for (const { process, letters } of trays) {
      for (const letter of letters ?? []) await retry(process, letter.id);
    }
  }));
}

addButtons();
addEventListener("hashchange", () => select(named()));
try {
  // The newest come first.
  for (const summary of (await ask("/orders")).reverse()) model.summarize(summary);
} catch (error) {
  say(`Earlier orders can’t be read: ${error.message}`);
}
followActivity();
draw();
