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
const VALUES = /%[\w$.-]+/g;

function withoutCounts(text) {
  // The printer counts values; compiler/renaming.py says why and how names are followed.
  return text.replace(VALUES, (name) => {
    const counted = /^%(?:\d+|(\w*?)_\d+)$/.exec(name);
    return counted ? `%${counted[1] || ""}` : name;
  });
}

class Names {
  // The name behind the pass of each value, as far as it was seen.
  constructor() { this.behind = new Map(); this.before = new Map(); }

  agree(left, right) {
    // Whether two lines, equal but for names, name the same values; those they define begin.
    if (/^\s*(?:func\.func|tw\.program)\b/.test(left)) { this.behind.clear(); this.before.clear(); }
    const defined = /^(?:\s*(%.+?) = |.*\bfor (%\S+) = )/.exec(left);
    const fresh = new Set(defined ? (defined[1] || defined[2]).match(VALUES) : []);
    const others = right.match(VALUES) || [];
    const pairs = (left.match(VALUES) || []).map((name, n) => [name, others[n]]);
    const known = (map, name, otherwise) => (map.has(name) ? map.get(name) : otherwise);
    if (pairs.some(([a, b]) => !fresh.has(a) && (known(this.behind, a, b) !== b || known(this.before, b, a) !== a))) return false;
    for (const [a, b] of pairs) {
      this.before.delete(this.behind.get(a));
      this.behind.delete(this.before.get(b));
      this.behind.set(a, b); this.before.set(b, a);
    }
    return true;
  }
}

function differenceOf(lines, left, right) {
  // Rows [index left or -1, index right or -1, "same" | "change"], lines in the order of both. A line
  // that differs in names of values alone, each of which keeps its new name, is the same.
  const key = [left, right].map((dump) => `${state.entry} ${dump.name}`).join("|");
  if (pairsKept.has(key)) return pairsKept.get(key);
  const textsOf = (dump) => dump.dump.map((n) => withoutCounts(lines[n].join("\t")));
  const names = new Names();
  const rows = [];
  let i = 0, j = 0, gone = [], come = [];
  const flush = () => {
    for (let n = 0; n < Math.max(gone.length, come.length); n++) rows.push([gone[n] ?? -1, come[n] ?? -1, "change"]);
    gone = []; come = [];
  };
  for (const part of Diff.diffArrays(textsOf(left), textsOf(right))) {
    for (let n = 0; n < part.value.length; n++) {
      if (part.removed) gone.push(i++);
      else if (part.added) come.push(j++);
      else if (names.agree(lines[left.dump[i]][0], lines[right.dump[j]][0])) { flush(); rows.push([i++, j++, "same"]); }
      else { gone.push(i++); come.push(j++); }
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
