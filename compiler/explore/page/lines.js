"use strict";
// Lines of IR and of instructions, and differences between two dumps.

function dumpsOf(doc, entry) { return doc.levels?.entries[entry] || []; }

function dumpLabel(dumps, dump) { return `${String(dumps.indexOf(dump)).padStart(2, "0")}-${dump.name}`; }

function dumpNamed(dumps, label, otherwise) {
  // By `06-tile`, or by the pass alone.
  return dumps.find((dump) => dumpLabel(dumps, dump) === label || dump.name === label) || otherwise;
}

function noLevels(root, doc) {
  // What is said of an image, which holds no IR; true where it was said.
  if (doc.levels && dumpsOf(doc, state.entry).length) return false;
  root.append(el("p", { class: "notice", text: doc.levels
    ? `The entry ${state.entry} is written without IR: see its instructions.`
    : "An image holds no IR, so there is nothing to show here. Explore the model that it was compiled "
      + "from: tilewright explore MODEL -o page.html. Instructions and times of the image are in the "
      + "other views." }));
  return true;
}

const LONGEST = 300;

function shortened(text) {
  // A line of many letters is cut, and whole after a click.
  if (text.length <= LONGEST) return text;
  const node = el("span", { class: "cut", text: `${text.slice(0, LONGEST)} ... (${text.length} letters)` });
  node.addEventListener("click", () => { node.textContent = text; });
  return node;
}

function codeLine(text, op, number, extra = "") {
  // A line; a click picks its op.
  return el("span", {
    class: `line ${extra} ${op && op === state.op ? "lit" : ""}`, "data-op": op, title: op,
    onclick: () => { if (op && !getSelection().toString()) pick(op); },
  }, el("span", { class: "no", text: number }), shortened(text),
  op ? el("span", { class: "at", text: op }) : null);
}

const pairsKept = new Map();

function differenceOf(left, right) {
  // Rows [index left or -1, index right or -1, "same" | "change"], lines in the order of both.
  const key = [left, right].map((dump) => `${state.entry} ${dump.name}`).join("|");
  if (pairsKept.has(key)) return pairsKept.get(key);
  const rows = [];
  let i = 0, j = 0, gone = [], come = [];
  const flush = () => {
    for (let n = 0; n < Math.max(gone.length, come.length); n++) rows.push([gone[n] ?? -1, come[n] ?? -1, "change"]);
    gone = []; come = [];
  };
  for (const part of Diff.diffArrays(left.dump, right.dump)) {
    for (let n = 0; n < part.value.length; n++) {
      if (part.removed) gone.push(i++);
      else if (part.added) come.push(j++);
      else { if (n === 0) flush(); rows.push([i++, j++, "same"]); }
    }
  }
  flush();
  pairsKept.set(key, rows);
  return rows;
}

const CONTEXT = 3;

function foldedRows(rows, keep) {
  // Runs of equal rows that are far from changes, and that `keep` does not want, as one fold.
  const shown = new Uint8Array(rows.length);
  rows.forEach((row, at) => {
    if (row[2] === "same" && !keep(row)) return;
    shown.fill(1, Math.max(0, at - CONTEXT), at + CONTEXT + 1);
  });
  const found = [];
  for (let at = 0; at < rows.length;) {
    if (shown[at]) { found.push({ row: rows[at] }); at++; continue; }
    let end = at;
    while (end < rows.length && !shown[end]) end++;
    found.push({ fold: rows.slice(at, end) });
    at = end;
  }
  return found;
}
