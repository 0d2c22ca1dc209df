// Perfetto's trace processor in Node: bytes of its protocol from standard input, replies to standard output.
// Its bundle is a worker for browsers, so it is given a browser's worker: a place to be called, and files.
const fs = require("fs");
const path = require("path");

const bundle = process.argv[2];
class LocalFile {
  open(_method, name) {
    this.name = path.basename(name);
  }
  send() {
    this.response = fs.readFileSync(path.join(path.dirname(bundle), this.name));
  }
}
const worker = { location: { href: "file:///" } };
const log = { log: console.error, warn: console.error, error: console.error };
const names = ["self", "process", "XMLHttpRequest", "WorkerGlobalScope", "console"];
new Function(...names, fs.readFileSync(bundle, "utf8"))(worker, undefined, LocalFile, Object, log);

const port = { postMessage: (reply) => process.stdout.write(reply) };
worker.onmessage({ data: port });
process.stdin.on("data", (bytes) => port.onmessage({ data: new Uint8Array(bytes) }));
