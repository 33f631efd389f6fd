"""One request followed by its id: header, log line, trace, row. The collector is a server that takes real OTLP."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support import ADMIN

TEXT = "The secret merger was called off."


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), TakesSpans)
        self.spans = []
        self.resources = []
        self.raw = b""


class TakesSpans(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        export = ExportTraceServiceRequest.FromString(body)
        for resource in export.resource_spans:
            self.server.resources.append(attributes(resource.resource))
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.server.raw += body
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


def attributes(thing):
    return {each.key: each.value.string_value for each in thing.attributes}


@pytest.fixture
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def traced(start_service, migrated_database, collector):
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    return start_service(DATABASE_URL=migrated_database(), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint).wait_until_ready()


def seconds(span):
    return (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


def test_a_request_is_followed_by_its_id(traced, collector):
    headers = ADMIN | {"X-Request-ID": "order-4711"}
    status, answer_headers, prediction = traced.request("POST", "/api/v1/predict", {"text": TEXT}, headers)
    assert status == 200
    assert answer_headers["X-Request-ID"] == "order-4711"
    row = traced.request("GET", f"/api/v1/predictions/{prediction['request_id']}")[2]
    traced.stop()  # the spans are on their way then
    [line] = [line for line in traced.log_lines() if line.get("request_id") == "order-4711"]
    assert line["prediction_id"] == row["request_id"] == prediction["request_id"]
    assert (line["route"], line["status"], line["cache"]) == ("/api/v1/predict", 200, "miss")
    assert line["model_version"] == prediction["model_version"]
    assert line["inference_ms"] > 0
    spans = [span for span in collector.spans if span.trace_id.hex() == line["trace_id"]]
    by_name = {span.name: span for span in spans}
    assert {"POST /api/v1/predict", "score", "queue", "inference", "store"} <= by_name.keys()
    request = by_name["POST /api/v1/predict"]
    assert attributes(request)["request_id"] == "order-4711"
    assert attributes(request)["prediction_id"] == prediction["request_id"]
    for child, parent in (("score", request), ("store", request), ("inference", by_name["score"])):
        assert by_name[child].parent_span_id == parent.span_id
    assert seconds(by_name["inference"]) == pytest.approx(line["inference_ms"] / 1000, abs=0.001)
    assert seconds(by_name["inference"]) < seconds(by_name["score"]) < seconds(request)
    assert collector.resources[0]["service.name"] == "finbert-api"
    # Nothing of the client's text or key is in a trace.
    assert b"merger" not in collector.raw
    assert ADMIN["X-API-Key"].encode() not in collector.raw


@pytest.mark.parametrize(
    "header",
    [
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        {"X-Amzn-Trace-Id": "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1"},
    ],
    ids=["W3C", "X-Ray"],
)
def test_a_callers_trace_goes_on(traced, collector, header):
    traced.request("GET", "/api/v1/predictions", headers=ADMIN | header)
    traced.stop()
    spans = [span for span in collector.spans if span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"]
    request = next(span for span in spans if span.parent_span_id.hex() == "b7ad6b7169203331")
    statements = [str(attributes(span)) for span in spans if span is not request]
    assert any("FROM predictions" in statement for statement in statements)


def test_what_machines_ask_all_the_time_makes_no_trace(traced, collector):
    traced.status_of("/metrics")
    traced.stop()
    assert collector.spans == []


def test_a_collector_that_is_down_costs_no_answer(start_service, migrated_database):
    service = start_service(
        DATABASE_URL=migrated_database(),
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        # For so many seconds it is tried again and again at the end.
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    ).wait_until_ready()
    assert service.request("POST", "/api/v1/predict", {"text": TEXT})[0] == 200
    assert service.stop() == 0
