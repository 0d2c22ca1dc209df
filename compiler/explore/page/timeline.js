"use strict";
// Engines over time: what each does, what it waits for, whom main memory serves, how full rings are.

views.add({
  id: "timeline", title: "Timeline", key: "5",
  draw(root, doc, state) {
    const found = time.step(root);
    if (!found) return;
    const line = found.timeline;
    root.append(el("h2", { text: `${found.text}: ${time.us(line.picoseconds)}` }));
    const launch = time.shown(found, root);
    const merged = state.get("spans") === "op";
    const width = Math.max(root.clientWidth - 24, 500);
    const stretch = launch.stretches.map((one) => el("button", {
      text: one.times > 1 ? `${one.title}, ${one.times} times` : one.title,
      title: `${time.ps(one.end - one.begin)}${one.times > 1 ? " each" : ""}: zoom to it`,
      onclick: () => axis.go(one.begin, one.end),
    }));
    root.append(el("p", { class: "bar" },
      ...stretch,
      el("button", { text: "all", onclick: () => axis.go(0, launch.recorded) }),
      el("button", {
        text: "merged by op", "aria-pressed": String(merged), "data-toggle": "merged",
        onclick: () => state.set({ spans: merged ? "" : "op" }),
      })));
    if (launch.left_out) {
      const steady = launch.stretches.find((one) => one.times > 1);
      root.append(el("p", { class: "note", "data-repeats": steady.times,
        text: `${steady.title} stands for ${steady.times} layers that are equal to the picosecond, ` +
          `${time.ps(launch.layer_picoseconds)} each; ${launch.left_out} of them are left out: ` +
          `${time.ps(launch.recorded)} are drawn of ${time.ps(line.launches[launch.number])}.` }));
    }
    const high = 20, gap = 5, small = 14, top = 22;
    const rows = launch.engines.map((engine, i) => ({ engine, y: top + i * (high + gap) }));
    const memoryAt = top + rows.length * (high + gap);
    const rings = launch.channels.map((channel, number) => ({ channel, number }))
      .filter(({ channel }) => channel.gap.length > 1);
    const ringsAt = memoryAt + (launch.memory.gap.length ? high + gap : 0) + 8;
    rings.forEach((ring, i) => { ring.y = ringsAt + i * (small + 2); });
    const height = ringsAt + rings.length * (small + 2) + 24;

    const paintSpans = (paint, scale, { engine, y }, from, to) => {
      const { begin } = time.spans(engine), [first, last] = scale.domain();
      let i = Math.max(d3.bisectRight(begin, first) - 1, 0);
      for (; i < engine.duration.length && begin[i] < last; i++) {
        const kind = engine.kinds[engine.kind[i]];
        let end = i + 1;
        if (merged) while (end < engine.kind.length && engine.kinds[engine.kind[end]].op === kind.op) end++;
        const x = Math.max(scale(begin[i]), from), until = Math.min(scale(begin[end]), to);
        paint.globalAlpha = time.fades(kind.op);
        paint.fillStyle = merged ? opColour(kind.op) : time.colour(kind.cause);
        paint.fillRect(x, y, Math.max(until - x, 0.4), high);
        if (until - x > 60) {
          paint.fillStyle = "#fff";
          const text = merged ? time.op(kind.op) : (kind.cause.includes("@") ? kind.cause : kind.what);
          paint.fillText(text.slice(0, Math.floor((until - x) / 7)), x + 4, y + high / 2);
        }
        i = end - 1;
      }
    };
    const paintServices = (paint, scale, from, to) => {
      const { begin, end } = time.services(launch.memory), [first, last] = scale.domain();
      for (let i = Math.max(d3.bisectRight(begin, first) - 1, 0); i < begin.length && begin[i] < last; i++) {
        const kind = launch.memory.kinds[launch.memory.kind[i]];
        const x = Math.max(scale(begin[i]), from), until = Math.min(scale(end[i]), to);
        if (until < from) continue;
        paint.globalAlpha = time.fades(kind.op);
        paint.fillStyle = time.colours.memory;
        paint.fillRect(x, memoryAt, Math.max(until - x, 0.4), high);
      }
    };
    const paintRing = (paint, scale, { channel, y }, from, to) => {
      const at = time.times(channel), [first, last] = scale.domain();
      for (let i = Math.max(d3.bisectRight(at, first) - 1, 0); i < at.length && at[i] < last; i++) {
        const x = Math.max(scale(at[i]), from);
        const wide = Math.max(Math.min(i + 1 < at.length ? scale(at[i + 1]) : to, to) - x, 0.4);
        paint.fillStyle = time.colours.issue;
        paint.fillRect(x, y + small, wide, -small * channel.used[i] / channel.slots);
        paint.fillStyle = time.colours.move;
        paint.fillRect(x, y + small, wide, -small * channel.filled[i] / channel.slots);
      }
    };
    const all = (canvas, scale, from, to) => {
      const paint = time.prepare(canvas, width, height), ink = time.ink();
      const label = (text, y) => { paint.fillStyle = ink; paint.globalAlpha = 1; paint.fillText(text.slice(0, 17), 0, y); };
      launch.stretches.forEach((one, i) => {
        const x = Math.max(scale(one.begin), from), until = Math.min(scale(one.end), to);
        if (until <= from || x >= to) return;
        paint.globalAlpha = i % 2 ? 0.16 : 0.07;
        paint.fillStyle = ink;
        paint.fillRect(x, 0, until - x, height - 22);
        paint.globalAlpha = 1;
        const text = one.title + (one.times > 1 ? ` x ${one.times}` : "");
        if (until - x > text.length * 7) paint.fillText(text, x + 4, 10);
      });
      for (const row of rows) { paintSpans(paint, scale, row, from, to); label(row.engine.name, row.y + high / 2); }
      if (launch.memory.gap.length) { paintServices(paint, scale, from, to); label("main memory", memoryAt + high / 2); }
      paint.globalAlpha = 1;
      for (const ring of rings) { paintRing(paint, scale, ring, from, to); label("@" + ring.channel.name, ring.y + small / 2); }
      time.ticks(paint, scale, height - 22, from, to);
    };
    const hover = (at, y, x) => {
      if (x < 120) return null;
      for (const { engine, y: rowAt } of rows) {
        if (y < rowAt || y > rowAt + high) continue;
        const { begin, layer } = time.spans(engine), i = d3.bisectRight(begin, at) - 1;
        const kind = engine.kinds[engine.kind[i]];
        if (!kind) return null;
        return [
          `${engine.name}: ${kind.cause}`,
          kind.pc >= 0 ? `instruction ${kind.pc}, ${kind.what}${kind.box ? " " + kind.box : ""}` : "",
          `op ${time.numbered(kind.op, time.layer(launch, layer[i]))}`,
          time.ps(engine.duration[i]),
          `from ${time.ps(time.actual(launch, begin[i]))} on`,
        ].filter(Boolean);
      }
      if (y >= memoryAt && y <= memoryAt + high && launch.memory.gap.length) {
        const { begin, end } = time.services(launch.memory), i = d3.bisectRight(begin, at) - 1;
        if (i < 0 || at > end[i]) return ["main memory: idle"];
        const kind = launch.memory.kinds[launch.memory.kind[i]];
        return [`main memory serves ${kind.queue}`, `op ${time.op(kind.op)}, instruction ${kind.pc}`,
          `${time.bytes(kind.bytes)} in ${time.ps(launch.memory.duration[i])}`];
      }
      const ring = rings.find((one) => y >= one.y && y <= one.y + small);
      if (!ring) return null;
      const { channel } = ring, i = d3.bisectRight(time.times(channel), at) - 1;
      return [`@${channel.name}: ${channel.used[i]} of ${channel.slots} slots in use, ${channel.filled[i]} filled`,
        `${channel.producer} fills, ${channel.consumers.join(", ")} read${channel.consumers.length > 1 ? "" : "s"}`];
    };
    const ops = doc.about.ops[state.entry] || [];
    const colours = d3.scaleOrdinal(ops, d3.schemeTableau10);
    function opColour(op) { return op ? colours(op) : time.colours.done; }
    const axis = time.axis(root, width, launch.recorded, all, hover);
    if (merged) {
      root.append(el("p", { class: "legend" }, ...ops.map((op) =>
        el("span", { class: time.lit(op), onclick: () => pick(op) }, el("i", { style: `background:${opColour(op)}` }), op))));
    } else root.append(time.legend(Object.keys(time.colours)));
    root.append(el("p", { class: "note", text: "Wheel zooms, dragging moves. Bars of a channel: slots in use; darker: filled." }));
    const sums = launch.engines.map((engine) => {
      const counts = d3.rollup(d3.range(engine.kind.length), (of) => d3.sum(of, (i) => engine.duration[i]),
        (i) => engine.kinds[engine.kind[i]].cause);
      const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5);
      return el("tr", { "data-engine": engine.name },
        el("td", { text: engine.name }),
        el("td", { class: "number", text: engine.kind.length.toLocaleString("en-US") }),
        el("td", { class: "number", "data-ps": d3.sum(engine.duration), text: time.ps(d3.sum(engine.duration)) }),
        el("td", { text: most.map(([cause, of]) => `${cause} ${time.percent(of, launch.recorded)}`).join(", ") }));
    });
    root.append(el("table", { class: "figures" }, el("thead", {}, el("tr", {}, ...["engine", "spans", "recorded", "most of it"].map((text) =>
      el("th", { text })))), el("tbody", {}, ...sums)));
  },
});
