"use strict";
// The frame of the page: views, the state they share (kept in the URL's fragment), keys, the list
// of model ops. A view is added by views.add({id, title, key, draw(root, doc, state)}).

const views = {
  all: [],
  add(view) { this.all.push(view); },
  named(id) { return this.all.find((view) => view.id === id) || this.all[0]; },
};

const state = {
  // Everything is text: view, entry, op, and whatever views keep (left, right, pass, ...).
  values: {},
  get(name, otherwise = "") { return this.values[name] ?? otherwise; },
  get view() { return this.get("view", views.all[0].id); },
  get entry() { return this.get("entry"); },
  get op() { return this.get("op"); },
  set(changes) {
    // A value of null or "" is taken out. One step for the back button.
    const next = { ...this.values };
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") delete next[name];
      else next[name] = String(value);
    }
    const text = new URLSearchParams(next).toString();
    if ("#" + text !== location.hash) location.hash = text; // `hashchange` draws
    this.read(); // the next key may come before `hashchange`
  },
  read() {
    this.values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    const known = doc.about.entries;
    if (!known.includes(this.values.entry)) {
      this.values.entry = known.includes(doc.about.phase) ? doc.about.phase : known[0];
    }
  },
};

let doc = null;

function el(tag, attributes = {}, ...children) {
  // An element; `class`, `text`, `on...` and data attributes are given by name.
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function opsOfEntry() { return doc.about.ops[state.entry] || []; }

function draw() {
  const view = views.named(state.view);
  const root = document.getElementById("view");
  drawFrame(view);
  root.replaceChildren();
  root.dataset.view = view.id;
  root.scrollTop = 0;
  view.draw(root, doc, state);
}

function drawFrame(view) {
  const { about } = doc;
  document.getElementById("name").textContent = about.model || about.name;
  document.getElementById("about").textContent =
    `${about.step}, machine ${about.machine}, policy ${about.policy}`;
  const entry = document.getElementById("entry");
  entry.replaceChildren(...about.entries.map((name) =>
    el("option", { value: name, text: name, selected: name === state.entry })));
  document.getElementById("tabs").replaceChildren(...views.all.map((one) =>
    el("button", {
      role: "tab", "data-view": one.id, "aria-selected": String(one === view),
      onclick: () => state.set({ view: one.id }),
    }, one.title, el("kbd", { text: one.key }))));
  drawOps();
}

function drawOps() {
  const wanted = document.getElementById("search").value.toLowerCase();
  const list = document.getElementById("ops");
  list.replaceChildren(...opsOfEntry()
    .filter((op) => op.toLowerCase().includes(wanted))
    .map((op) => el("li", {
      "data-op": op, class: op === state.op ? "lit" : "", tabindex: 0, title: op, text: op,
      onclick: () => pick(op),
    })));
  list.querySelector(".lit")?.scrollIntoView({ block: "nearest" });
}

function pick(op) { state.set({ op: op === state.op ? "" : op }); }

function step(by) {
  // The next or the previous op.
  const ops = opsOfEntry();
  if (!ops.length) return;
  const at = ops.indexOf(state.op);
  const next = at < 0 ? (by > 0 ? 0 : ops.length - 1) : (at + by + ops.length) % ops.length;
  state.set({ op: ops[next] });
}

const KEYS = [
  ["j", "next op of the model"], ["k", "previous op"], ["/", "search ops"],
  ["n", "next lit line"], ["p", "previous lit line"],
  ["e", "next entry"], ["?", "this help"], ["Esc", "pick nothing; close"],
];

function showHelp() {
  const rows = [...views.all.map((view) => [view.key, view.title]), ...KEYS];
  const dialog = document.getElementById("help");
  dialog.replaceChildren(
    el("h2", { text: "Keys" }),
    el("table", {}, ...rows.map(([key, what]) =>
      el("tr", {}, el("td", {}, el("kbd", { text: key })), el("td", { text: what })))),
    el("p", { text: "The address of the page names view, entry and op: it can be kept and sent on." }),
    el("button", { text: "close", onclick: () => dialog.close() }));
  dialog.showModal();
}

function nextLit(by) {
  // Scroll to the next line of the picked op below (above) the middle of each scrolling part.
  for (const pane of document.querySelectorAll("#view .scroll")) {
    const middle = pane.getBoundingClientRect().top + pane.clientHeight / 2;
    const lit = [...pane.querySelectorAll(".line.lit")].map((line) => [line,
      (line.getBoundingClientRect().top + line.getBoundingClientRect().bottom) / 2 - middle]);
    const behind = lit.filter(([, at]) => (by > 0 ? at > 12 : at < -12));
    const found = by > 0 ? behind[0] : behind[behind.length - 1];
    if (found) centre(pane, found[0]);
  }
}

function centre(pane, line) {
  // Scrolls the pane alone, and up and down alone.
  if (line) pane.scrollTop += line.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 2;
}

function onKey(event) {
  const search = document.getElementById("search");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key === "Escape") { search.value = ""; search.blur(); drawOps(); }
    if (event.key === "Enter") {
      const first = document.querySelector("#ops li");
      search.blur();
      if (first) state.set({ op: first.dataset.op });
    }
    return;
  }
  if (event.target.closest("select, input, textarea")) return;
  const view = views.all.find((one) => one.key === event.key);
  const entries = doc.about.entries;
  if (view) state.set({ view: view.id });
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "n") nextLit(1);
  else if (event.key === "p") nextLit(-1);
  else if (event.key === "e") {
    state.set({ entry: entries[(entries.indexOf(state.entry) + 1) % entries.length] });
  } else if (event.key === "/") search.focus();
  else if (event.key === "?") showHelp();
  else if (event.key === "Enter" && event.target.dataset.op) pick(event.target.dataset.op);
  else if (event.key === "Escape" && !document.getElementById("help").open) state.set({ op: "" });
  else return;
  event.preventDefault();
}

async function unpack() {
  const text = atob(document.getElementById("data").textContent.trim());
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}
