"use strict";
// Addresses of an on-chip memory against time: rings as full as they are, regions as long as they live.

views.add({
  id: "memory", title: "Memory", key: "6",
  draw(root, doc, state) {
    const found = time.step(root);
    if (!found) return;
    const name = state.get("memory") === "acc" ? "acc" : "spm", map = found.memory[name];
    root.append(el("h2", { text: name === "spm" ? "Scratchpad" : "Accumulators" }));
    root.append(el("p", { class: "bar" }, ...["spm", "acc"].map((one) => el("button", {
      text: one === "spm" ? "scratchpad" : "accumulators", "aria-pressed": String(one === name), "data-memory": one,
      onclick: () => state.set({ memory: one === "spm" ? "" : one }),
    })), el("span", { "data-free": map.free, text: ` ${time.bytes(map.bytes)}; ${time.bytes(map.free)} (${map.free.toLocaleString("en-US")} bytes) free` })));
    const launch = found.timeline.shown[0];
    const width = Math.max(root.clientWidth - 24, 500), height = 460, top = 6, bottom = height - 26;
    const y = d3.scaleLinear([0, map.bytes], [bottom, top]);
    const faded = (buffer) => (state.op && !buffer.ops.includes(state.op) ? 0.18 : 1);
    const all = (canvas, scale, from, to) => {
      const paint = time.prepare(canvas, width, height), ink = time.ink();
      let labelled = bottom + 20;
      for (const buffer of map.buffers) {
        const low = y(buffer.base), high = y(buffer.base + buffer.bytes), tall = Math.max(low - high, 1);
        paint.globalAlpha = 0.1 * faded(buffer) + 0.03;
        paint.fillStyle = ink;
        paint.fillRect(from, high, to - from, tall);
        paint.globalAlpha = faded(buffer);
        if (buffer.kind === "ring") {
          const channel = launch.channels[buffer.channel], at = time.times(channel);
          const [first, last] = scale.domain();
          for (let i = Math.max(d3.bisectRight(at, first) - 1, 0); i < at.length && at[i] < last; i++) {
            const x = Math.max(scale(at[i]), from);
            const wide = Math.max(Math.min(i + 1 < at.length ? scale(at[i + 1]) : to, to) - x, 0.4);
            for (const [colour, slots] of [[time.colours.issue, channel.used[i]], [time.colours.matmul, channel.filled[i]]]) {
              paint.fillStyle = colour;
              paint.fillRect(x, low, wide, -tall * slots / channel.slots);
            }
          }
          if (tall / buffer.slots > 4) {
            paint.fillStyle = ink;
            for (let slot = 1; slot < buffer.slots; slot++) paint.fillRect(from, low - tall * slot / buffer.slots, to - from, 0.3);
          }
        } else {
          paint.fillStyle = buffer.kind === "local" ? time.colours.vector : time.colours.memory;
          const runs = buffer.live.length ? buffer.live : [[0, launch.recorded]];
          for (const [begin, end] of buffer.kind === "local" ? runs : [[0, launch.recorded]]) {
            const x = Math.max(scale(begin), from), until = Math.min(scale(end), to);
            if (until > from && x < to) paint.fillRect(x, high, Math.max(until - x, 0.4), tall);
          }
        }
        paint.globalAlpha = 1;
        paint.fillStyle = ink;
        paint.fillRect(from, low, to - from, 0.5);
        const middle = (low + high) / 2;
        if (labelled - middle >= 12) {
          paint.globalAlpha = faded(buffer) < 1 ? 0.45 : 1;
          paint.fillText((buffer.kind === "ring" ? "@" : "") + buffer.name.slice(0, 16), 0, middle);
          labelled = middle;
        }
      }
      paint.globalAlpha = 1;
      time.ticks(paint, scale, height - 22, from, to);
    };
    const hover = (at, pixel, x) => {
      const address = y.invert(pixel);
      const here = map.buffers.filter((b) => b.base <= address && address < b.base + b.bytes);
      if (!here.length) return address >= 0 && address < map.bytes ? [`free at ${Math.floor(address).toLocaleString("en-US")}`] : null;
      return here.flatMap((b) => {
        const lines = [`${b.kind === "ring" ? "@" : ""}${b.name}: ${b.kind}, ${b.bytes.toLocaleString("en-US")} bytes at ${b.base.toLocaleString("en-US")}`];
        if (b.kind === "ring") {
          const channel = launch.channels[b.channel], i = d3.bisectRight(time.times(channel), at) - 1;
          lines.push(`${b.slots} slots of ${b.slot_bytes.toLocaleString("en-US")} bytes, filled by ${b.owner}`);
          if (x >= 120 && i >= 0) lines.push(`${channel.used[i]} in use, ${channel.filled[i]} filled at ${time.ps(time.actual(launch, at))}`);
        }
        return [...lines, `ops: ${b.ops.join(", ") || "none"}`];
      });
    };
    time.axis(root, width, launch.recorded, all, hover);
    root.append(el("p", { class: "legend" }, ...[["slots in use", "issue"], ["slots filled", "matmul"], ["local, while it lives", "vector"],
      ["resident", "memory"]].map(([text, colour]) => el("span", {}, el("i", { style: `background:${time.colours[colour]}` }), text))));
    root.append(el("p", { class: "note", text: "Slots are taken in turn: the height of a ring's bar is how many, not which. Local buffers may share bytes at different times." }));
    root.append(el("table", { class: "figures" }, el("thead", {}, el("tr", {}, ...["buffer", "kind", "address", "bytes", "slots", "ops"].map((text) => el("th", { text })))),
      el("tbody", {}, ...map.buffers.map((b) => el("tr", { class: state.op && b.ops.includes(state.op) ? "lit" : "", "data-buffer": b.name },
        el("td", { text: b.name }), el("td", { text: b.kind }), el("td", { class: "number", text: b.base.toLocaleString("en-US") }),
        el("td", { class: "number", text: b.bytes.toLocaleString("en-US") }), el("td", { class: "number", text: b.slots ?? "" }), el("td", { text: b.ops.join(", ") }))))));
  },
});
