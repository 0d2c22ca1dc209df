"use strict";
// Instructions: the stream of each engine beside the others, with addresses; the picked op is lit.

views.add({
  id: "instructions", title: "Instructions", key: "4",
  draw(root, doc, state) {
    const engines = Object.entries(doc.program.entries[state.entry].engines);
    const only = state.get("engine");
    root.append(el("div", { class: "bar" },
      ...engines.map(([engine, stream]) => el("button", {
        text: `${engine} ${stream.length}`, "aria-pressed": String(engine === only),
        onclick: () => state.set({ engine: engine === only ? "" : engine }),
      })), el("button", { text: "next lit line (n)", onclick: () => nextLit(1) })));
    const shown = engines.filter(([engine]) => !only || engine === only);
    root.append(el("div", { class: "streams" }, ...shown.map(([engine, stream]) => el("section", { "data-engine": engine },
      el("h2", { text: engine }),
      el("div", { class: "code scroll" }, ...stream.map(([text, op], at) => codeLine(text, op, at)))))));
    for (const pane of root.querySelectorAll(".code")) centre(pane, pane.querySelector(".line.lit"));
  },
});
