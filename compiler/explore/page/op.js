"use strict";
// Op: one op of the model on every level at once, its instructions, and the time it took.

views.add({
  id: "op", title: "Op", key: "3",
  draw(root, doc, state) {
    if (!state.op) { root.append(el("p", { class: "notice", text: "Pick an op of the model on the left, or press j." })); return; }
    root.append(el("h2", { text: state.op, id: "op-name" }));
    drawOpTime(root, doc);
    drawOpPasses(root, doc);
    drawOpLevels(root, doc);
    drawOpInstructions(root, doc);
  },
});

const micro = (picoseconds) => (picoseconds / 1e6).toLocaleString("en", { maximumFractionDigits: 2 });

function drawOpTime(root, doc) {
  const { ops, predicted, launches } = doc.step;
  const total = launches.reduce((a, b) => a + b, 0) || 1;
  if (state.entry !== doc.about.phase) {
    root.append(el("p", { class: "dim", text: `The timed step is one of ${doc.about.phase}.` }));
    return;
  }
  const rows = Object.entries(ops).filter(([, of]) => of[state.op]).map(([engine, of]) => {
    const causes = Object.entries(of[state.op]).sort((a, b) => b[1] - a[1]);
    const time = causes.reduce((sum, [, one]) => sum + one, 0);
    return el("tr", {}, el("td", {}, el("b", { text: engine })), el("td", { class: "n", text: micro(time) }),
      el("td", { class: "n", text: `${((100 * time) / total).toFixed(1)} %` }),
      el("td", { text: causes.map(([cause, one]) => `${cause} ${micro(one)}`).join(", ") }));
  });
  const guess = predicted?.[state.op];
  root.append(el("table", { id: "op-time" }, el("tr", {}, ...["engine", "us", "of the step", "causes, us"].map((text, n) => el("th", { class: n === 1 || n === 2 ? "n" : "", text }))), ...rows));
  root.append(el("p", { class: "dim", text: `All layers of the step together.${guess === undefined ? "" : ` Closed forms predict ${micro(guess)} us on the matrix unit.`}` }));
}

function drawOpPasses(root, doc) {
  const dumps = dumpsOf(doc, state.entry);
  if (!dumps.length) return;
  root.append(el("h2", { text: "What each pass did to it" }), el("table", { id: "op-passes" },
    el("tr", {}, ...["pass", "its lines", "+", "−"].map((text, n) => el("th", { class: n ? "n" : "", text }))),
    ...dumps.map((dump, n) => {
      const mine = dump.ops[state.op];
      const count = dump.dump.filter((line) => doc.levels.lines[line][1] === state.op).length;
      if (!mine && n) return null;
      return el("tr", { class: "pick", "data-pass": dump.name, onclick: () => state.set(n ? {
        view: "levels", left: dumpLabel(dumps, dumps[n - 1]), right: dumpLabel(dumps, dump) } : { view: "passes", pass: dumpLabel(dumps, dump) }) },
      el("td", { text: dumpLabel(dumps, dump) }), el("td", { class: "n", text: count }),
      el("td", { class: "n plus", text: mine?.[0] ? `+${mine[0]}` : "" }), el("td", { class: "n minus", text: mine?.[1] ? `−${mine[1]}` : "" }));
    }).filter((row) => row)));
}

function lastOfLevels(dumps) {
  // Level -> its last dump: what the next level begins with.
  return [...new Map(dumps.map((dump) => [dump.level, dump])).values()];
}

function drawOpLevels(root, doc) {
  const dumps = dumpsOf(doc, state.entry);
  for (const dump of lastOfLevels(dumps)) {
    const mine = dump.dump.map((line, at) => [doc.levels.lines[line], at + 1]).filter(([[, op]]) => op === state.op);
    root.append(el("details", { open: mine.length > 0 && mine.length <= 40, "data-level": dump.level },
      el("summary", { text: dump.level }, el("span", { class: "dim", text: `  ${mine.length} lines behind ${dump.name}` })),
      el("div", { class: "code" }, ...mine.map(([[text], at]) => codeLine(text, "", at)))));
  }
  if (!dumps.length) noLevels(root, doc);
}

function drawOpInstructions(root, doc) {
  const engines = doc.program.entries[state.entry].engines;
  for (const [engine, stream] of Object.entries(engines)) {
    const mine = stream.map(([text, op], at) => [text, op, at]).filter(([, op]) => op === state.op);
    if (!mine.length) continue;
    root.append(el("details", { open: mine.length <= 40, "data-engine": engine },
      el("summary", { text: `instructions of ${engine}` }, el("span", { class: "dim", text: `  ${mine.length} of ${stream.length}` })),
      el("div", { class: "code" }, ...mine.map(([text, , at]) => codeLine(text, "", at)))));
  }
}
