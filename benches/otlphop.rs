//! The OTLP hop alone in a process, for `benches/hop.py`: options as TOML in the first argument, the addresses on standard
//! output, until the process is ended.
#![expect(clippy::print_stdout, reason = "a tool that tells its addresses")]

use std::sync::Arc;

use inkout::engine::{Engine, Limits, Policy};
use inkout::hop::{Hop, WorkersRedactor};
use inkout::metrics::Metrics;
use inkout::otlp;
use inkout::rules::Catalog;
use inkout::workers::Workers;
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = toml::from_str(&std::env::args().nth(1).ok_or("options as TOML")?)?;
    let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default())?;
    let metrics = Metrics::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let threads = std::thread::available_parallelism()?.get();
        let workers = Workers::start(Arc::new(engine), threads)?;
        let redactor = Arc::new(WorkersRedactor::new(workers, otlp::Limits::default(), &metrics));
        let hop = Hop::open(options, redactor, &metrics, CancellationToken::new()).await?;
        println!("{:?} {:?}", hop.grpc(), hop.http());
        hop.run().await;
        Ok(())
    })
}
