//! The HTTPS stack of the product, with nothing behind it: the ceiling of `pay`.

use super::fixed::Fixed;
use crate::cli::LimitArgs;
use crate::client::Target;
use crate::load::{Load, Stream};
use crate::partners::Partner;
use crate::report::Report;
use crate::skew::Zipf;
use crate::system;
use anyhow::{Context, Result};
use florin_api::{ApiOptions, Backend, Clock};
use florin_ledger::id::{Id, prefix};
use florin_node::certs::{self, Kind, Layout};
use florin_node::tls::public_server;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// As many as `pay` has.
const PARTNERS: u32 = 1_000;

/// The server, on threads of its own, as a frontend's process has them.
struct Server {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<Result<()>>,
}

/// Runs the bench.
pub async fn run(args: &LimitArgs) -> Result<Report> {
    let folder = system::folder(None)?;
    certs::make(folder.path(), 1, &[]).context("cannot make certificates")?;
    let (fixed, keys) = Fixed::new(PARTNERS);
    let (server, port) = start(folder.path(), Arc::new(fixed)).await?;
    eprintln!("under load: HTTPS on port {port}, and nothing behind it");
    let account = |number: u128| Id(number).display(prefix::ACCOUNT).to_string();
    let partner = |(id, key): (Id, String)| Partner {
        id,
        key,
        bank: account(1),
        wallet: account(id.0 + 1),
    };
    let ca = Layout::new(folder.path()).ca();
    let load = Load {
        api: Target::new(&format!("https://127.0.0.1:{port}"), Some(&ca))?,
        partners: keys.into_iter().map(partner).collect(),
        duration: args.duration,
    };
    let stream = Stream {
        payers: Zipf::new(PARTNERS as usize),
        connections: args.connections,
        http2: None,
        rate: None,
    };
    let streamed = load.run(&[stream]).await;
    // A server that is gone already says why when it is joined.
    let _ = server.stop.send(());
    let ended = tokio::task::spawn_blocking(|| server.thread.join()).await?;
    ended.map_err(|_| anyhow::anyhow!("the server panicked"))??;
    let streamed = streamed?;
    let streamed = streamed.first().context("no stream")?;
    let report = Report::new("limit https", &streamed.tally, streamed.took);
    Ok(report.with("connections", args.connections))
}

async fn start(folder: &Path, fixed: Arc<Fixed>) -> Result<(Server, u16)> {
    let layout = Layout::new(folder);
    let kind = Kind::Server;
    let tls = public_server(&layout.cert(&kind), &layout.key(&kind))?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (told, port) = oneshot::channel();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let port = listener.local_addr()?.port();
            anyhow::ensure!(told.send(port).is_ok(), "nobody waits for the server");
            let time = Arc::clone(&fixed);
            let clock: Clock = Arc::new(move || time.now());
            let backend: Arc<dyn Backend> = fixed;
            let shutdown = async { drop(stopped.await) };
            florin_api::serve(listener, tls, ApiOptions::new(clock), backend, shutdown).await;
            Ok(())
        })
    };
    let thread = thread::Builder::new().name("https".into()).spawn(serve)?;
    let port = port.await.context("the server did not start")?;
    Ok((Server { stop, thread }, port))
}
