"use strict";
// Passes: the pipeline in order, what each pass changed, and of which op of the model.

views.add({
  id: "passes", title: "Passes", key: "1",
  draw(root, doc, state) {
    if (noLevels(root, doc)) return;
    const dumps = dumpsOf(doc, state.entry);
    const chosen = dumpNamed(dumps, state.get("pass"), null);
    const head = ["", "pass", "level", "ms", "ops", "lines +", "lines −", "ops of the model touched"];
    root.append(el("table", { id: "passes" },
      el("tr", {}, ...head.map((text, n) => el("th", { class: n > 2 && n < 7 ? "n" : "", text }))),
      ...dumps.map((dump, n) => passRow(dumps, dump, n, chosen))));
    if (chosen) drawPass(root, doc, dumps, chosen);
    else root.append(el("p", { class: "dim", text: "Pick a pass to see what it changed." }));
  },
});

function passRow(dumps, dump, n, chosen) {
  const touched = opsOfEntry().filter((op) => dump.ops[op]);
  const before = n ? dumps[n - 1].operations : null;
  const mine = dump.ops[state.op];
  const text = mine ? `${state.op} +${mine[0]} −${mine[1]}, ${touched.length} in all`
    : touched.length ? `${touched.length}: ${touched.slice(0, 3).join(", ")}${touched.length > 3 ? ", ..." : ""}` : "";
  return el("tr", {
    class: `pick ${dump === chosen ? "chosen" : ""} ${mine ? "lit" : ""}`, "data-pass": dump.name,
    onclick: () => state.set({ pass: dumpLabel(dumps, dump) }),
  },
  el("td", { class: "n dim", text: String(n).padStart(2, "0") }),
  el("td", { title: dump.summary }, el("b", { text: dump.name })),
  el("td", { text: dump.level }),
  el("td", { class: "n", text: dump.seconds === null ? "" : (dump.seconds * 1e3).toFixed(1) }),
  el("td", { class: "n", text: dump.operations === null ? "" : before === null ? dump.operations : `${before} → ${dump.operations}` }),
  el("td", { class: "n plus", text: dump.added ? `+${dump.added}` : "" }),
  el("td", { class: "n minus", text: dump.removed ? `−${dump.removed}` : "" }),
  el("td", { class: "dim", text }));
}

function drawPass(root, doc, dumps, dump) {
  const at = dumps.indexOf(dump);
  root.append(el("h2", { text: dumpLabel(dumps, dump) }), el("p", { text: dump.summary }));
  if (!at) { root.append(el("div", { class: "code" }, ...dump.dump.map((n, i) => codeLine(...doc.levels.lines[n], i + 1)))); return; }
  root.append(el("div", { class: "bar" }, el("button", {
    text: "side by side", onclick: () => state.set({ view: "levels", left: dumpLabel(dumps, dumps[at - 1]), right: dumpLabel(dumps, dump) }),
  })));
  const ops = Object.entries(dump.ops).sort((a, b) => b[1][0] + b[1][1] - a[1][0] - a[1][1]);
  if (!ops.length) { root.append(el("p", { text: "It changed nothing here." })); return; }
  root.append(el("details", { open: ops.length < 12 }, el("summary", { text: "by op of the model" }),
    el("table", {}, ...ops.map(([op, [added, removed]]) => el("tr", {
      class: `pick ${op && op === state.op ? "lit" : ""}`, "data-op": op, onclick: () => op && pick(op),
    }, el("td", { text: op || "(of no op)" }), el("td", { class: "n plus", text: `+${added}` }),
    el("td", { class: "n minus", text: `−${removed}` }))))));
  const code = el("div", { class: "code", id: "pass-diff" });
  for (const { row, fold } of foldedRows(differenceOf(doc.levels.lines, dumps[at - 1], dump), () => false)) {
    if (fold) { code.append(el("span", { class: "fold", text: `${fold.length} equal lines` })); continue; }
    const [i, j, kind] = row;
    if (kind === "same") code.append(codeLine(...doc.levels.lines[dump.dump[j]], j + 1));
    else {
      if (i >= 0) code.append(codeLine(...doc.levels.lines[dumps[at - 1].dump[i]], i + 1, "del"));
      if (j >= 0) code.append(codeLine(...doc.levels.lines[dump.dump[j]], j + 1, "add"));
    }
  }
  root.append(code);
}
