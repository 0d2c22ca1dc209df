"use strict";
// Why not faster: the floor, what binds, the gap by cause, and what was measured to help.

views.add({
  id: "faster", title: "Why not faster", key: "9",
  draw(root, doc, state) {
    const found = time.step(root);
    if (!found) return;
    this.part(root, found.text, found.advice.step, "step", found.experiments);
    const op = found.advice.ops[state.op];
    if (op) this.part(root, state.op, op, "op", found.experiments);
    else root.append(el("p", { class: "note", text: state.op ? `${state.op} takes no time of the matrix unit.` : "Pick an op of the model to see why that one is not faster." }));
    const refused = Object.entries(found.not_tried);
    if (refused.length) root.append(el("p", { class: "note", text: "Not tried: " + refused.map(([what, why]) => `${what}: ${why}`).join("; ") }));
  },
  part(root, title, part, kind, tried) {
    const names = { hbm: "bytes of main memory", matrix: "the matrix unit", vector: "the vector unit", dependencies: "what waits for what" };
    const box = el("section", { class: `card ${kind === "op" ? "lit" : ""}`, "data-part": kind }, el("h2", { text: title }));
    const told = part.floors
      ? `${time.us(part.picoseconds)}; at best ${time.us(part.floor)}, which ${names[part.binds]} bind${part.binds === "hbm" ? "" : "s"}. ` +
        (part.floor > part.picoseconds ? "Part of its work is done in the time of other ops." : `The gap is ${time.us(part.gap)}, ${time.percent(part.gap, part.picoseconds)} of the time.`)
      : `${time.us(part.picoseconds)}. No bound is known of it by itself: it has none in the model's sizes.`;
    box.append(el("p", { "data-gap": part.gap, text: told }));
    if (part.floors) box.append(el("p", { class: "note", text: "Floors: " + Object.entries(part.floors).map(([name, of]) => `${name} ${time.us(of)}`).join(", ") }));
    if (part.predicted !== undefined && part.predicted !== null) {
      box.append(el("p", { class: "note", text: `Predicted by closed forms: ${time.us(part.predicted)} (${time.percent(part.predicted - part.picoseconds, part.picoseconds)} off).` }));
    }
    const lines = part.lines.filter((line) => line.picoseconds);
    box.append(el("table", { class: "figures gap" }, el("thead", {}, el("tr", {}, ...["cause", "time, ps", "in the gap, ps", "of the gap", "why"].map((text) => el("th", { text })))),
      el("tbody", {}, ...lines.map((line) => el("tr", { "data-cause": line.cause },
        el("td", {}, el("i", { class: "swatch", style: `background:${time.colour(line.cause)}` }), line.cause),
        el("td", { class: "number", text: line.picoseconds.toLocaleString("en-US") }), el("td", { class: "number", "data-gap-part": line.gap, text: line.gap.toLocaleString("en-US") }),
        el("td", { class: "number", text: line.gap ? time.percent(line.gap, d3.sum(lines, (l) => l.gap)) : "" }), el("td", { class: "why", text: line.why })))),
      el("tfoot", {}, el("tr", {}, el("td", { text: "total" }), el("td", { class: "number", text: d3.sum(lines, (l) => l.picoseconds).toLocaleString("en-US") }),
        el("td", { class: "number", text: d3.sum(lines, (l) => l.gap).toLocaleString("en-US") }), el("td"), el("td")))));
    box.append(el("h3", { text: "What would shorten it (measured)" }));
    box.append(part.help.length ? el("table", { class: "figures help" }, el("thead", {}, el("tr", {}, ...["change", "from", "to", "saves", "of the time"].map((text) => el("th", { text })))),
      el("tbody", {}, ...part.help.map((help) => el("tr", { "data-what": help.what }, el("td", { text: help.what.startsWith("@") ? `slots of ${help.what}` : help.what }),
        el("td", { class: "number", text: help.before.toLocaleString("en-US") }), el("td", { class: "number", text: help.after.toLocaleString("en-US") }),
        el("td", { class: "number", "data-saves": help.saves, text: time.ps(help.saves) }), el("td", { class: "number", text: time.percent(help.saves, part.picoseconds) })))))
      : el("p", { text: "None of the numbers that were tried shortens it." }));
    box.append(el("p", { class: "note", text: `Measured: the same instructions timed again with that one number changed (${tried.length} changes in all). A compiler that knew of it could gain more; a longer ring needs room in its memory.` }));
    root.append(box);
  },
});
