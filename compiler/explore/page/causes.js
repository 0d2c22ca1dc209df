"use strict";
// Where the time of an engine went, by model op and cause: what `tilewright time --json` holds.

views.add({
  id: "causes", title: "Causes", key: "8",
  draw(root, doc, state) {
    const found = time.step(root);
    if (!found) return;
    const { report, advice } = found, engines = Object.keys(report.ops);
    const engine = engines.includes(state.get("engine")) ? state.get("engine") : engines.includes("mxu") ? "mxu" : engines[0];
    root.append(el("h2", { text: `Causes: ${found.text}` }));
    root.append(el("p", { class: "bar" }, ...engines.map((one) => el("button", {
      text: one, "data-engine": one, "aria-pressed": String(one === engine), onclick: () => state.set({ engine: one === "mxu" ? "" : one }),
    }))));
    const whole = d3.sum(report.launches);
    const rows = Object.entries(report.ops[engine]).map(([op, causes]) => ({
      op, causes, time: d3.sum(Object.values(causes)),
      bound: advice.ops[op]?.floors ? advice.ops[op].floor : null, predicted: report.predicted?.[op] ?? null,
    }));
    const names = Object.keys(report.causes[engine]);
    const own = engine === "mxu";
    const columns = [["op", (r) => time.op(r.op)], ["time", (r) => r.time], ["share", (r) => r.time],
      ...(own ? [["bound", (r) => r.bound ?? -1], ["predicted", (r) => r.predicted ?? -1]] : []),
      ...names.map((name) => [name, (r) => r.causes[name] || 0])];
    const by = state.get("sort"), column = columns.find(([name]) => name === by);
    if (column) rows.sort((a, b) => (by === "op" ? d3.ascending(column[1](a), column[1](b)) : d3.descending(column[1](a), column[1](b))));
    const most = d3.max(rows, (r) => r.time) || 1;
    root.append(el("div", { class: "bars" }, ...rows.map((r) => el("div", { class: `bar-row ${time.lit(r.op)}`, onclick: () => pick(r.op) },
      el("span", { class: "name", text: time.op(r.op) }),
      el("span", { class: "stack" }, ...Object.entries(r.causes).map(([cause, of]) => el("i", {
        style: `width:${100 * of / most}%;background:${time.colour(cause)}`, title: `${cause}: ${time.ps(of)}`,
      }))), el("span", { class: "number", text: time.us(r.time) })))), time.legend([...new Set(names.map((n) => n.split(" ")[0]))]));
    const cell = (value) => el("td", { class: "number", text: value === null || value === undefined ? "" : value.toLocaleString("en-US") });
    const line = (name, r, attributes) => el("tr", attributes, el("td", { text: name }), cell(r.time), el("td", { class: "number", text: time.percent(r.time, whole) }),
      ...(own ? [cell(r.bound), cell(r.predicted)] : []), ...names.map((n) => cell(r.causes[n] || null)));
    const total = { time: d3.sum(rows, (r) => r.time), causes: report.causes[engine],
      bound: report.bound_picoseconds ? d3.max(Object.values(report.bound_picoseconds)) : null, predicted: report.predicted ? d3.sum(Object.values(report.predicted)) : null };
    root.append(el("div", { class: "wide" }, el("table", { class: "figures causes" },
      el("thead", {}, el("tr", {}, ...columns.map(([name]) => el("th", { text: name + (name === by ? " v" : ""), "data-sort": name, onclick: () => state.set({ sort: name }) })))),
      el("tbody", {}, ...rows.map((r) => line(time.op(r.op), r, { class: time.lit(r.op), "data-op": r.op, onclick: () => pick(r.op) }))),
      el("tfoot", {}, line("total", total, { "data-total": total.time })))));
    root.append(el("p", { class: "note", text: "Picoseconds. A column's head sorts. The bound of the total is that of the step, whose resources overlap: it is no sum. " +
      "Time is emulated for a whole program alone: what a pass costs is seen by comparing two images. Predicted: by closed forms, from the tiles, before any instruction exists." }));
  },
});
