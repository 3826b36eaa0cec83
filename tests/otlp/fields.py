#!/usr/bin/env python3
"""Lists every field of the OTLP export requests by their descriptors: `pip install opentelemetry-proto`, then

    python3 tests/otlp/fields.py > tests/otlp/fields.txt

One line a field: the signal, the path from the request (name, number, JSON name of each step, `*` where it repeats), its type.
A value within a value is followed once into a list and once into an object.
"""
from google.protobuf.descriptor import FieldDescriptor as F
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

REQUESTS = {
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}
TYPES = {F.TYPE_STRING: "string", F.TYPE_BYTES: "bytes"}
NUMERIC = {
    F.TYPE_BOOL: "varint", F.TYPE_INT32: "varint", F.TYPE_INT64: "varint", F.TYPE_UINT32: "varint",
    F.TYPE_UINT64: "varint", F.TYPE_SINT32: "varint", F.TYPE_SINT64: "varint", F.TYPE_ENUM: "varint",
    F.TYPE_FIXED64: "fixed64", F.TYPE_SFIXED64: "fixed64", F.TYPE_DOUBLE: "fixed64",
    F.TYPE_FIXED32: "fixed32", F.TYPE_SFIXED32: "fixed32", F.TYPE_FLOAT: "fixed32",
}
MOST = {"AnyValue": 2, "ArrayValue": 1, "KeyValueList": 1}


def step(field):
    repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == F.LABEL_REPEATED
    return f"{field.name}:{field.number}:{field.json_name}{'*' if repeated else ''}"


def walk(signal, message, path, seen):
    for field in message.fields:
        here = path + [step(field)]
        if field.type == F.TYPE_MESSAGE:
            inner = field.message_type
            if seen.count(inner.name) < MOST.get(inner.name, 9):
                walk(signal, inner, here, seen + [inner.name])
        else:
            kind = TYPES.get(field.type) or NUMERIC[field.type]
            print(signal, "/".join(here), kind)


for signal, request in REQUESTS.items():
    walk(signal, request.DESCRIPTOR, [], [])
