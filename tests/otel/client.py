"""Python's SDK, as an application uses it: a log record, a span and a counter, each with one secret and one plain word.

    client.py grpc|http ENDPOINT PLAIN SECRET
"""
import logging
import sys

from opentelemetry import metrics, trace
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

protocol, endpoint, plain, secret = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    def exporter(kind, path):
        return kind(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def exporter(kind, path):
        return kind(endpoint=endpoint + path, compression=Compression.Gzip)


resource = Resource.create({"service.name": "shop"})

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(exporter(OTLPLogExporter, "/v1/logs")))
logger = logging.getLogger("shop")
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.error("%s password=%s", plain, secret, extra={"http.request.header.authorization": f"Bearer {secret}"})

traces = TracerProvider(resource=resource)
traces.add_span_processor(SimpleSpanProcessor(exporter(OTLPSpanExporter, "/v1/traces")))
with traces.get_tracer("shop").start_as_current_span(f"GET {plain}") as span:
    span.set_attribute("url.full", f"https://ada:{secret}@shop.example/{plain}")
    span.add_event("retry", {"db.connection_string": f"postgres://ada:{secret}@db/{plain}"})
    span.set_status(trace.Status(trace.StatusCode.ERROR, f"api_key={secret}"))

reader = PeriodicExportingMetricReader(exporter(OTLPMetricExporter, "/v1/metrics"))
meters = MeterProvider(resource=resource, metric_readers=[reader])
meters.get_meter("shop").create_counter(f"orders.{plain}").add(1, {"password": secret})

for provider in (logs, traces, meters):
    provider.force_flush()
    provider.shutdown()
