"use strict";
// Each op as a point: multiply-adds a byte of main memory against multiply-adds a second, under the roofs.

views.add({
  id: "roofline", title: "Roofline", key: "7",
  draw(root, doc, state) {
    const found = time.step(root);
    if (!found) return;
    const { points, roofs, bytes_per_second: bandwidth } = found.roofline;
    root.append(el("h2", { text: "Roofline" }));
    const rate = (point) => point.macs / (point.picoseconds / 1e12);
    const drawn = points.filter((p) => p.macs && p.picoseconds);
    const width = Math.max(root.clientWidth - 24, 500), height = 430, left = 76, right = 24;
    const dense = drawn.filter((p) => p.bytes);
    if (drawn.length && roofs.length) {
      const peak = d3.max(roofs, (r) => r.macs_per_second);
      const least = d3.min(dense, (p) => p.macs / p.bytes) ?? 1, most = d3.max(dense, (p) => p.macs / p.bytes) ?? 1;
      const knee = bandwidth ? peak / bandwidth : most;
      const x = d3.scaleLog([Math.min(least, knee) / 3, Math.max(most, knee) * 4], [left, width - right]);
      const y = d3.scaleLog([Math.min(d3.min(drawn, rate), peak / 100) / 2, peak * 2], [height - 44, 28]);
      const svg = d3.create("svg").attr("width", width).attr("height", height).attr("class", "roofline");
      svg.append("g").attr("transform", `translate(0,${height - 44})`).call(d3.axisBottom(x).ticks(8, "~g"));
      svg.append("g").attr("transform", `translate(${left},0)`).call(d3.axisLeft(y).ticks(6, "~s"));
      svg.append("text").attr("x", width / 2).attr("y", height - 8).attr("text-anchor", "middle").text("multiply-adds a byte of main memory");
      svg.append("text").attr("x", 4).attr("y", 12).text("multiply-adds a second");
      const levels = d3.groups(roofs, (r) => r.macs_per_second);
      for (const [level, of] of levels) {
        const from = bandwidth ? Math.max(level / bandwidth, x.domain()[0]) : x.domain()[0];
        svg.append("line").attr("class", "roof").attr("x1", x(from)).attr("x2", width - right).attr("y1", y(level)).attr("y2", y(level));
        svg.append("text").attr("x", width - right - 4).attr("y", y(level) - 6).attr("text-anchor", "end")
          .text(`${of.map((r) => r.formats).join(", ")}: ${d3.format(".3s")(level)}/s`);
      }
      if (bandwidth) {
        const a = Math.max(x.domain()[0], y.domain()[0] / bandwidth), b = Math.min(knee, x.domain()[1]);
        svg.append("line").attr("class", "roof").attr("x1", x(a)).attr("x2", x(b)).attr("y1", y(a * bandwidth)).attr("y2", y(b * bandwidth));
        svg.append("text").attr("x", x(Math.sqrt(a * b)) - 8).attr("y", y(Math.sqrt(a * b) * bandwidth) - 8).attr("text-anchor", "end").text(`main memory ${d3.format(".3s")(bandwidth)}B/s`);
      }
      const above = (a, b) => rate(b) - rate(a); // labels of close points stand below each other
      let last = -Infinity;
      for (const point of [...drawn].sort(above)) {
        const label = Math.max(y(rate(point)), last + 14);
        last = label;
        const at = point.bytes ? x(point.macs / point.bytes) : width - right;
        const g = svg.append("g").attr("class", `point ${time.lit(point.op)}`).attr("data-op", point.op)
          .attr("transform", `translate(${at},${y(rate(point))})`).style("cursor", "pointer").on("click", () => pick(point.op));
        g.append("circle").attr("r", point.op === state.op ? 8 : 5).attr("opacity", state.op && point.op !== state.op ? 0.4 : 1);
        const down = label - y(rate(point));
        g.append("line").attr("class", "leader").attr("x1", 4).attr("x2", 26).attr("y2", down);
        g.append("text").attr("x", 28).attr("y", down + 4).text(time.op(point.op));
        g.append("title").text(`${time.op(point.op)}: ${time.ps(point.picoseconds)}`);
      }
      root.append(svg.node());
    }
    root.append(el("p", { class: "note", text: "An op's time is that of the matrix unit, waiting included. Bytes are whole bursts of main memory that the op itself moves: what stays on chip from another op costs it none." }));
    root.append(el("table", { class: "figures" }, el("thead", {}, el("tr", {}, ...["op", "time", "bytes", "multiply-adds", "a byte", "a second", "of the peak"].map((text) => el("th", { text })))),
      el("tbody", {}, ...points.map((p) => {
        const roof = d3.sum(Object.entries(p.pairs), ([pair, macs]) => macs / roofs.find((r) => r.formats === pair).macs_per_second);
        return el("tr", { class: time.lit(p.op), "data-op": p.op, onclick: () => pick(p.op) },
          el("td", { text: time.op(p.op) }), el("td", { class: "number", text: time.us(p.picoseconds) }),
          el("td", { class: "number", text: p.bytes.toLocaleString("en-US") }), el("td", { class: "number", text: p.macs.toLocaleString("en-US") }),
          el("td", { class: "number", text: p.bytes ? d3.format(".3~r")(p.macs / p.bytes) : "" }),
          el("td", { class: "number", text: p.macs ? d3.format(".3~s")(rate(p)) : "" }),
          el("td", { class: "number", text: p.macs ? time.percent(roof * 1e12, p.picoseconds) : "" }));
      }))));
  },
});
