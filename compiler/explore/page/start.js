"use strict";
// Unpacks the data, binds keys and the address, and draws for the first time.

unpack().then((found) => {
  doc = found;
  const again = () => { state.read(); draw(); };
  window.addEventListener("hashchange", again);
  document.addEventListener("keydown", onKey);
  document.getElementById("search").addEventListener("input", drawOps);
  document.getElementById("help-button").addEventListener("click", showHelp);
  document.getElementById("entry").addEventListener("change", (event) =>
    state.set({ entry: event.target.value }));
  again();
  document.body.dataset.ready = String(Math.round(performance.now())); // milliseconds to the first draw
}).catch((error) => {
  document.getElementById("view").textContent =
    `The page cannot be shown: ${error.message}. It needs a browser that knows DecompressionStream.`;
});
