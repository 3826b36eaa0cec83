// Node's SDK, as an application uses it: a log record in JSON and a span by gRPC, each with a plain word and a secret.
//
//   client.mjs GRPC_ENDPOINT HTTP_ENDPOINT PLAIN SECRET
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPTraceExporter as GrpcTraces } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as HttpTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [grpc, http, plain, secret] = process.argv.slice(2);

const exporter = new OTLPLogExporter({ url: `${http}/v1/logs` });
const logs = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] });
logs.getLogger("shop").emit({
  body: `${plain} password=${secret}`,
  attributes: { "http.request.header.authorization": [`Bearer ${secret}`] },
});

const traces = new BasicTracerProvider({
  spanProcessors: [
    new SimpleSpanProcessor(new GrpcTraces({ url: grpc })),
    new SimpleSpanProcessor(new HttpTraces({ url: `${http}/v1/traces` })),
  ],
});
const span = traces.getTracer("shop").startSpan(`GET ${plain}`);
span.setAttribute("url.full", `https://ada:${secret}@shop.example/${plain}`);
span.end();

await logs.forceFlush();
await traces.forceFlush();
await logs.shutdown();
await traces.shutdown();
