//! Logs and metrics, and what happens when something that cannot happen happens.
//!
//! Logs go to stderr: for people on a terminal, as JSON otherwise; `FLORIN_LOG` filters them
//! (`info` unless told). Nothing logs a secret: types that hold one do not show it.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The environment variable that filters logs, as `tracing-subscriber` reads filters.
pub const FILTER: &str = "FLORIN_LOG";

/// How often histograms are drained, so that they do not grow between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Seconds; finest where payments are.
const BUCKETS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Starts logging, at most once in a process.
pub fn start_logs() {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| {
        EnvFilter::new("info,openraft=error,sled=warn,h2=warn,hyper=warn,rustls=warn")
    });
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _already = if std::io::stderr().is_terminal() {
        logs.with_target(false).try_init()
    } else {
        logs.json().flatten_event(true).try_init()
    };
}

/// Starts logging only if [`FILTER`] asks for it: for commands that talk to people.
pub fn start_logs_if_asked() {
    if std::env::var_os(FILTER).is_some() {
        start_logs();
    }
}

/// A panic on a node is a broken invariant: the process says so and ends, and its supervisor
/// starts it again from what is durable. Going on could answer wrongly. What must survive a
/// library's panic is guarded: see [`florin_storage::guard`].
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        if florin_storage::guard::is_guarded() {
            tracing::warn!(%panic, "a library panicked on what it was given");
            return;
        }
        let backtrace = std::backtrace::Backtrace::force_capture();
        tracing::error!(%panic, %backtrace, "a broken invariant: this process ends");
        std::process::abort();
    }));
}

/// A frontend holds no state: a panic ends the request it happened in, and is written down.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        tracing::error!(%panic, %backtrace, "a broken invariant: this request ends");
    }));
}

/// Makes the process's metrics recorder; call within a tokio runtime, at most once in a process.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), BUCKETS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|_| anyhow::anyhow!("metrics were started twice"))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut often = tokio::time::interval(UPKEEP);
        loop {
            often.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
