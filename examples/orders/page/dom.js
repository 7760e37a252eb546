// Elements, made of values. Texts are always texts: nothing here reads HTML.

/**
 * An element. What begins with `on` is a listener; what is false, null or undefined is left out.
 *
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children);
  return element;
}

/** The element of an id, which the page has. */
export function part(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** Sets a text, if it is another one: who listens to the element isn't told the same again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The part of a service's or order's name that people need. */
export function short(name) {
  return name.startsWith("order-") ? name.slice(-6) : name.replace(/^shop\./, "");
}

/** A time between two moments in microseconds, for people. */
export function duration(micros) {
  if (micros < 1_000_000) return `${Math.round(micros / 1000)} ms`;
  if (micros < 60_000_000) return `${(micros / 1_000_000).toFixed(1)} s`;
  return `${Math.floor(micros / 60_000_000)} min ${Math.round((micros / 1_000_000) % 60)} s`;
}
