"use strict";
// What the views over time and memory share: the step of the entry, spans unpacked, figures as text.

const time = {
  colours: {
    matmul: "#2f7ed8", vector: "#1aa179", move: "#8a63d2", issue: "#b58ae0", scalar: "#8d99a6",
    memory: "#e0a526", contention: "#c2571a", wait: "#d9534f", room: "#e58fb0", done: "#c9ced6",
  },
  colour(cause) { return this.colours[cause.split(" ")[0]] || "#777"; },
  ps(value) { return `${Math.round(value).toLocaleString("en-US")} ps`; },
  us(value) {
    const text = (number) => number.toLocaleString("en-US", { maximumFractionDigits: 3 });
    return Math.abs(value) >= 1e9 ? `${text(value / 1e9)} ms` : `${text(value / 1e6)} us`;
  },
  percent(part, whole) { return whole ? `${(100 * part / whole).toFixed(2)} %` : ""; },
  bytes(value) {
    for (const unit of ["B", "KiB", "MiB", "GiB"]) {
      if (value < 1024 || unit === "GiB") {
        return `${value.toLocaleString("en-US", { maximumFractionDigits: 1 })} ${unit}`;
      }
      value /= 1024;
    }
  },
  op(name) { return name || "(between ops)"; },
  numbered(name, layer) { return layer >= 0 ? name.replace("{l}", layer) : time.op(name); },
  fades(op) { return state.op && op !== state.op ? 0.22 : 1; },
  lit(op) { return op && op === state.op ? "lit" : ""; },

  step(root) {
    // The timed step of the entry; says in the view why there is none.
    const found = (doc.timed || {})[state.entry];
    if (found && !found.untimed) return found;
    root.append(el("p", { class: "note", text: found ? found.untimed : `${state.entry} is not timed` }));
    return null;
  },

  unpacked: new WeakMap(),
  spans(engine) {
    // Begin of each slice of an engine (they follow without a gap), and its layer.
    if (!this.unpacked.has(engine)) {
      const begin = new Float64Array(engine.duration.length + 1);
      engine.duration.forEach((one, i) => { begin[i + 1] = begin[i] + one; });
      const layer = new Int32Array(engine.duration.length).fill(-1);
      engine.layers.forEach(([from, number], i) => {
        layer.fill(number, from, i + 1 < engine.layers.length ? engine.layers[i + 1][0] : layer.length);
      });
      this.unpacked.set(engine, { begin, layer });
    }
    return this.unpacked.get(engine);
  },
  services(memory) {
    if (!this.unpacked.has(memory)) {
      const begin = new Float64Array(memory.gap.length), end = new Float64Array(memory.gap.length);
      let at = 0;
      memory.gap.forEach((gap, i) => {
        begin[i] = at + gap;
        at = end[i] = begin[i] + memory.duration[i];
      });
      this.unpacked.set(memory, { begin, end });
    }
    return this.unpacked.get(memory);
  },
  times(channel) {
    if (!this.unpacked.has(channel)) {
      let at = 0;
      this.unpacked.set(channel, Float64Array.from(channel.gap, (gap) => (at += gap)));
    }
    return this.unpacked.get(channel);
  },

  shown(found, root) {
    // The launch that is shown, with buttons where there are several.
    const all = found.timeline.shown, count = found.timeline.launches.length;
    const launch = all.find((one) => String(one.number) === state.get("launch")) || all[0];
    if (count > 1) {
      root.append(el("p", { class: "bar" }, `${count} launches in all; shown: `, ...all.map((one) =>
        el("button", {
          text: `launch ${one.number + 1}`, "aria-pressed": String(one === launch),
          onclick: () => state.set({ launch: one.number, from: "", to: "" }),
        }))));
    }
    return launch;
  },
  actual(launch, at) {
    // When a recorded moment happens in the whole launch: behind the steady layer, layers are left out.
    const steady = launch.stretches.find((one) => one.times > 1);
    return steady && at >= steady.end ? at + launch.left_out * launch.layer_picoseconds : at;
  },
  layer(launch, recorded) {
    return launch.left_out && recorded > launch.steady ? recorded + launch.left_out : recorded;
  },

  axis(root, width, end, paint, hover) {
    // A canvas whose horizontal axis is time: zoomed by wheel and buttons, dragged, kept in the URL.
    const left = 120, right = 12;
    const canvas = el("canvas", { class: "time", tabindex: 0 });
    const tip = el("div", { class: "tip", hidden: true });
    root.append(canvas, tip);
    const full = d3.scaleLinear([0, end], [left, width - right]);
    let scale = full;
    const show = () => paint(canvas, scale, left, width - right);
    const zoom = d3.zoom().scaleExtent([1, Math.max(1, end / 20000)])
      .extent([[left, 0], [width - right, 1]]).translateExtent([[left, 0], [width - right, 1]])
      .on("zoom", ({ transform, sourceEvent }) => {
        scale = transform.rescaleX(full);
        if (sourceEvent) this.keep(scale.domain(), end);
        show();
      });
    const view = d3.select(canvas).call(zoom).on("dblclick.zoom", null);
    const from = Number(state.get("from", 0)), to = Number(state.get("to", end));
    const go = (a, b) => {
      const k = end / Math.max(b - a, 1);
      view.call(zoom.transform, d3.zoomIdentity.translate(left * (1 - k) - k * (full(a) - left), 0).scale(k));
    };
    canvas.addEventListener("mousemove", (event) => {
      const text = hover(scale.invert(event.offsetX), event.offsetY, event.offsetX);
      tip.hidden = !text;
      if (!text) return;
      tip.replaceChildren(...text.map((line) => el("div", { text: line })));
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
    });
    canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
    go(from, to);
    return { go: (a, b) => { this.keep([a, b], end); go(a, b); }, canvas };
  },
  keep([from, to], end) {
    const whole = from <= 0 && to >= end;
    delete state.values.from;
    delete state.values.to;
    if (!whole) Object.assign(state.values, { from: String(Math.round(from)), to: String(Math.round(to)) });
    history.replaceState(null, "", "#" + new URLSearchParams(state.values));
  },
  prepare(canvas, width, height) {
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const paint = canvas.getContext("2d");
    paint.scale(ratio, ratio);
    paint.clearRect(0, 0, width, height);
    paint.font = "12px system-ui, sans-serif";
    paint.textBaseline = "middle";
    return paint;
  },
  ink() { return getComputedStyle(document.body).color; },
  ticks(paint, scale, y, from, to) {
    paint.fillStyle = this.ink();
    paint.textAlign = "center";
    for (const at of scale.ticks(8)) {
      const x = scale(at);
      if (x < from || x > to) continue;
      paint.fillRect(x, y, 1, 4);
      paint.fillText(this.us(at), Math.min(Math.max(x, from + 24), to - 24), y + 12);
    }
    paint.textAlign = "left";
  },
  legend(causes) {
    return el("p", { class: "legend" }, ...causes.map((cause) =>
      el("span", {}, el("i", { style: `background:${this.colour(cause)}` }), cause)));
  },
};
