// The list of orders, and that of dead letters.

import { make, setText, short } from "./dom.js";
import { titleOf } from "./kinds.js";

const STATUS = { open: "…", confirmed: "✓", cancelled: "–" };

/** What a row tells of an order's troubles: a count, its look, and its words. */
const TROUBLES = [
  ["duplicates", "duplicate", "=", "duplicates"],
  ["retries", "failed", "1", "failed attempts"],
  ["undone", "undone", "↩", "compensations"],
];

/** The orders, the newest first. */
export class OrderList {
  constructor(list, onSelect) {
    this.list = list;
    this.onSelect = onSelect;
    this.rows = new Map();
    this.filter = "";
    this.selected = null;
  }

  update(order) {
    let row = this.rows.get(order.id);
    if (!row) {
      row = this.row(order);
      this.rows.set(order.id, row);
      this.list.insertBefore(row.item, this.place(order.id));
    }
    row.item.dataset.status = order.status;
    setText(row.status, STATUS[order.status]);
    setText(row.word, `${order.status} `);
    setText(row.name, titleOf(order.customerId) || order.customer || "an order");
    const troubles = TROUBLES.filter(([count]) => order.counts[count]).map(
      ([count, look, sign, words]) => badge(look, sign, order.counts[count], words));
    if (order.dead) troubles.push(badge("dead", "✕", order.dead, "dead letters"));
    row.troubles.replaceChildren(...troubles);
    row.item.hidden = !this.fits(order);
  }

  forget(id) {
    this.rows.get(id)?.item.remove();
    this.rows.delete(id);
  }

  select(id) {
    this.rows.get(this.selected)?.button.removeAttribute("aria-current");
    this.selected = id;
    this.rows.get(id)?.button.setAttribute("aria-current", "true");
  }

  fits(order) {
    switch (this.filter) {
      case "": return true;
      case "dead": return order.dead > 0;
      case "open": case "confirmed": case "cancelled": return order.status === this.filter;
      default: return order.counts[this.filter] > 0;
    }
  }

  row(order) {
    const status = make("span", { class: "status", "aria-hidden": "true" });
    const word = make("span", { class: "unseen" });
    const name = make("span", { class: "name" });
    const troubles = make("span", { class: "troubles" });
    const onclick = () => this.onSelect(order.id);
    const current = order.id === this.selected && "true";
    const button = make("button", { type: "button", onclick, "aria-current": current },
      status, word, name, make("code", {}, short(order.id)), troubles);
    const item = make("li", { "data-order": order.id }, button);
    return { item, button, status, word, name, troubles };
  }

  /** The row that an order is put before. Ids grow with time, and most orders are the newest. */
  place(id) {
    let next = this.list.firstElementChild;
    while (next && next.dataset.order > id) next = next.nextElementSibling;
    return next;
  }
}

function badge(look, sign, count, words) {
  const seen = make("span", { class: `mark ${look}`, "aria-hidden": "true" }, sign);
  const read = make("span", { class: "unseen" }, ` ${words}`);
  return make("span", { class: "badge", title: `${count} ${words}` }, seen, String(count), read);
}

/** Fills the list of dead letters. Returns how many there are. */
export function showLetters(list, trays, { onRetry, onSelect }) {
  const rows = [];
  for (const { process, letters } of trays) {
    for (const letter of letters ?? []) {
      const retry = () => onRetry(process, letter.id);
      const select = () => onSelect(letter.orderId);
      rows.push(make("tr", { "data-letter": letter.id },
        make("td", {}, letter.orderId
          ? make("button", { type: "button", class: "link", onclick: select },
            make("code", {}, short(letter.orderId)))
          : "–"),
        make("td", {}, short(letter.service)),
        make("td", {}, letter.messageType || "unreadable"),
        make("td", { class: "number" }, String(letter.attempts)),
        make("td", { class: "error" }, letter.error),
        make("td", {}, make("button", { type: "button", class: "retry", onclick: retry }, "Retry"))));
    }
  }
  list.replaceChildren(...rows);
  return rows.length;
}
