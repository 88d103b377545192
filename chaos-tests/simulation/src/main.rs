//! Runs Florin in a simulation: the same seed gives the same run.

mod config;
mod dice;
mod frontend;
mod invariants;
mod machine;
mod net;
mod node;
mod record;
mod requests;
mod session;
mod system;
mod world;

use std::sync::Arc;

fn main() {
    let seed = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    if std::env::args().nth(2).is_some() {
        tracing_subscriber::fmt().with_env_filter(std::env::var("F").unwrap_or("info".into())).without_time().with_ansi(false).init();
    }
    let start = system::real_now();
    let t = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
    system::begin(seed);
    let config = Arc::new(config::Config::of(seed));
    println!("{config}");
    let record = record::Record::new();
    let ended = world::run(&config, &record);
    println!("{:?} {:?} real {:?}", ended.elapsed, record.acknowledged(), system::real_elapsed_since(start));
    for b in record.all_broken() { println!("{b}"); }
    for v in florin_chaos::check::all(&record.history("x")) { println!("{v}"); }
    });
    t.unwrap().join().unwrap();
}
