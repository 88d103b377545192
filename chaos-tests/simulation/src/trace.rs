//! What happens, in order, with simulated times: a file that is the same for the same seed.

use crate::system;
use anyhow::{Context, Result};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// The file, to be flushed in the end.
#[derive(Clone)]
pub(crate) struct Trace(Arc<Mutex<BufWriter<File>>>);

struct Simulated;

impl FormatTime for Simulated {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:>12.6}", system::micros() as f64 / 1e6)
    }
}

impl Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

impl MakeWriter<'_> for Trace {
    type Writer = Trace;

    fn make_writer(&self) -> Trace {
        self.clone()
    }
}

/// Follows what happens from now on. With `packets`, everything on the network as well.
pub(crate) fn begin(path: &Path, packets: bool) -> Result<Trace> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let trace = Trace(Arc::new(Mutex::new(BufWriter::new(file))));
    let what = if packets {
        "debug,h2=warn,hyper=warn,tower=warn,tonic=warn,turmoil=trace"
    } else {
        "debug,h2=warn,hyper=warn,tower=warn,tonic=warn,turmoil=info"
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(what))
        .with_timer(Simulated)
        .with_ansi(false)
        .with_writer(trace.clone())
        .try_init()
        .map_err(|error| anyhow::anyhow!("no trace: {error}"))?;
    Ok(trace)
}
