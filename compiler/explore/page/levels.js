"use strict";
// Levels: any two dumps of an entry side by side; equal lines are folded, the picked op is lit.

views.add({
  id: "levels", title: "Levels", key: "2",
  draw(root, doc, state) {
    if (noLevels(root, doc)) return;
    const dumps = dumpsOf(doc, state.entry);
    const left = dumpNamed(dumps, state.get("left"), dumpNamed(dumps, "tile", dumps[0]));
    const right = dumpNamed(dumps, state.get("right"), dumpNamed(dumps, "channels", dumps[dumps.length - 1]));
    const choice = (name, chosen) => el("select", {
      id: name, "aria-label": name, onchange: (event) => state.set({ [name]: event.target.value }),
    }, ...dumps.map((dump) => {
      const label = dumpLabel(dumps, dump);
      return el("option", { value: label, text: `${label} (${dump.level})`, selected: dump === chosen });
    }));
    const rows = differenceOf(doc.levels.lines, left, right);
    const changed = rows.filter((row) => row[2] === "change").length;
    root.append(el("div", { class: "bar" }, choice("left", left), "→", choice("right", right),
      el("span", { class: "dim", id: "changed", text: `${changed} of ${rows.length} rows differ` }),
      el("button", { text: "next lit line (n)", onclick: () => nextLit(1) }),
      el("button", { text: state.get("all") ? "fold equal lines" : "show all lines", onclick: () => state.set({ all: state.get("all") ? "" : "1" }) })));
    drawSides(root, doc, left, right, rows);
  },
});

function drawSides(root, doc, left, right, rows) {
  const lines = doc.levels.lines;
  const opAt = (row) => lines[row[1] >= 0 ? right.dump[row[1]] : left.dump[row[0]]][1];
  const isLit = (row) => state.op && (row[0] >= 0 && lines[left.dump[row[0]]][1] === state.op || row[1] >= 0 && opAt(row) === state.op);
  const panes = [el("div", { class: "code scroll", id: "left-pane" }), el("div", { class: "code scroll", id: "right-pane" })];
  const side = (dump, at, kind) => (at < 0 ? el("span", { class: "line", text: " " }) : codeLine(...lines[dump.dump[at]], at + 1, kind));
  const put = (row, mark) => [
    side(left, row[0], row[2] === "change" ? "del" : ""), side(right, row[1], row[2] === "change" ? "add" : ""),
  ].forEach((line, n) => mark[n].push(line));
  const parts = [[], []];
  const all = state.get("all") ? rows.map((row) => ({ row })) : foldedRows(rows, (row) => isLit(row));
  for (const { row, fold } of all) {
    if (row) { put(row, parts); continue; }
    const folds = [0, 1].map(() => el("span", { class: "fold", text: `${fold.length} equal lines` }));
    const open = () => {
      const opened = [[], []];
      fold.forEach((one) => put(one, opened));
      folds.forEach((node, n) => node.replaceWith(...opened[n]));
    };
    folds.forEach((node, n) => { node.addEventListener("click", open); parts[n].push(node); });
  }
  panes.forEach((pane, n) => pane.append(...parts[n]));
  const map = el("div", { class: "map", id: "map", title: "changed and lit rows of all; click to go there" });
  const shown = all.length;
  all.forEach(({ row }, at) => {
    const kind = !row ? "" : isLit(row) ? "m-lit" : row[2] === "change" ? (row[1] < 0 ? "m-del" : "m-add") : "";
    if (kind) map.append(el("i", { class: kind, style: `top:${(100 * at) / shown}%;height:${100 / shown}%` }));
  });
  map.addEventListener("click", (event) => {
    panes[0].scrollTop = (event.offsetY / map.clientHeight) * panes[0].scrollHeight - panes[0].clientHeight / 2;
  });
  panes.forEach((pane, n) => pane.addEventListener("scroll", () => {
    const other = panes[1 - n];
    if (Math.abs(other.scrollTop - pane.scrollTop) > 1) other.scrollTop = pane.scrollTop;
  }));
  root.append(el("div", { class: "sides" }, ...panes, map));
  const first = panes.find((pane) => pane.querySelector(".line.lit"));
  if (first) centre(first, first.querySelector(".line.lit"));
}
