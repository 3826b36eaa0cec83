//! Pushes the metrics by OTLP over gRPC. The SDK's instruments only look at our counters, so a push costs the data path
//! nothing, and a receiver that is away costs a line in the log.
//!
//! A histogram goes out as its sum and its count: the protocol's own would have to be fed block by block.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_otlp::{MetricExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};

use super::{Kind, Labels, Metrics, OtlpOptions, Value, families};

/// The variable that names a service for all of OpenTelemetry.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// Why metrics cannot be pushed; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The endpoint is none.
    #[error("metrics.otlp: endpoint `{endpoint}`: {reason}")]
    Endpoint {
        /// As it was written.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Metrics being pushed until [`Push::stop`].
#[derive(Debug)]
pub struct Push(SdkMeterProvider);

impl Push {
    /// Pushes `metrics` as `options` say. Must be called within tokio.
    ///
    /// # Errors
    /// When the endpoint is no URL of a gRPC receiver. That nobody listens there is no error.
    pub fn start(metrics: &Metrics, options: &OtlpOptions) -> Result<Push, PushError> {
        let refused = |reason: String| PushError::Endpoint { endpoint: options.endpoint.clone(), reason };
        if !options.endpoint.starts_with("http://") {
            return Err(refused("must begin with http://".to_owned()));
        }
        let exporter = MetricExporter::builder().with_tonic().with_endpoint(&options.endpoint).build();
        let exporter = exporter.map_err(|error| refused(error.to_string()))?;
        let reader = PeriodicReader::builder(exporter).with_interval(options.interval).build();
        let mut resource = Resource::builder();
        if std::env::var_os(SERVICE_NAME).is_none() {
            resource = resource.with_service_name("inkout");
        }
        let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource.build()).build();
        instruments(metrics, &provider.meter("inkout"));
        Ok(Push(provider))
    }

    /// Pushes once more and stops.
    pub async fn stop(self) {
        // The SDK waits on the thread it is called on. What it could not push is in its log line.
        let _ = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
    }
}

/// One instrument for each family, and two for a histogram.
fn instruments(metrics: &Metrics, meter: &Meter) {
    for family in families::all(&metrics.0) {
        let name = format!("inkout.{}", family.name);
        let look = Arc::new(Look { metrics: metrics.clone(), family: family.name });
        match family.kind {
            Kind::Counter => {
                let counter = meter.u64_observable_counter(name).with_description(family.help);
                counter.with_callback(move |to| look.each(count, |value, labels| to.observe(value, labels))).build();
            }
            Kind::Gauge => {
                let gauge = meter.f64_observable_gauge(name).with_description(family.help);
                gauge.with_callback(move |to| look.each(level, |value, labels| to.observe(value, labels))).build();
            }
            Kind::Histogram => {
                let (looks, sums) = (Arc::clone(&look), meter.f64_observable_counter(format!("{name}.sum")));
                sums.with_description(family.help)
                    .with_callback(move |to| looks.each(sum, |value, labels| to.observe(value, labels)))
                    .build();
                let counts = meter.u64_observable_counter(format!("{name}.count")).with_description(family.help);
                counts.with_callback(move |to| look.each(count, |value, labels| to.observe(value, labels))).build();
            }
        }
    }
}

/// A look at one family.
struct Look {
    metrics: Metrics,
    family: &'static str,
}

impl Look {
    fn each<T>(&self, number: impl Fn(&Value) -> Option<T>, observe: impl Fn(T, &[KeyValue])) {
        let families = families::all(&self.metrics.0);
        let series = families.iter().filter(|family| family.name == self.family).flat_map(|family| &family.series);
        for (labels, value) in series {
            if let Some(number) = number(value) {
                observe(number, &attributes(labels));
            }
        }
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect()
}

fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Count(count) => Some(*count),
        Value::Histogram(_, buckets) => Some(buckets.iter().map(|(_, count)| count).sum()),
        Value::Gauge(_) => None,
    }
}

fn level(value: &Value) -> Option<f64> {
    if let Value::Gauge(level) = value { Some(*level) } else { None }
}

fn sum(value: &Value) -> Option<f64> {
    if let Value::Histogram(sum, _) = value { Some(*sum) } else { None }
}
