//! What may be asked on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Measures Florin: puts a cluster under load, counts what came of it, and audits the books.
#[derive(Debug, Parser)]
#[command(name = "florin-bench", version)]
pub struct Cli {
    /// Print one line of JSON for each run in place of tables.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to measure.
    #[command(subcommand)]
    pub bench: Bench,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// One payment per HTTPS request, each with a key of its own.
    Pay(PayArgs),
    /// One payment per call straight to the shard leaders, without HTTPS.
    Submit(SubmitArgs),
    /// Transfers in batches over HTTPS.
    Bulk(BulkArgs),
    /// The ceilings: HTTPS with no ledger behind it, and the bare log.
    Limit(LimitArgs),
    /// Other systems doing the same payment, and Florin beside them.
    Peers {
        /// Which.
        #[command(subcommand)]
        peer: Peer,
    },
    /// How figures change as the ledger grows.
    Grow(GrowArgs),
    /// What a cluster costs that nobody asks anything.
    Idle(IdleArgs),
    /// How long payments stop when a leader is killed.
    Failover(FailoverArgs),
    /// What payments take when regions are far apart, against one round trip to the nearest.
    Regions(RegionsArgs),
    /// How long a replica takes to catch up by snapshot, and what becomes of payments meanwhile.
    Catchup(CatchupArgs),
    /// How often memory is allocated for each payment, in the frontend and in the leader.
    Allocations(AllocationsArgs),
}

/// The bench of single payments.
#[derive(Clone, Debug, Args)]
pub struct PayArgs {
    /// Connections; each sends its next payment when the last one is answered.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Over HTTP/2, with so many payments at once on each connection, in place of HTTP/1.1 with one.
    #[arg(long, value_name = "AT_ONCE", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub http2: Option<u32>,
    /// For how long, after a warm-up of 2 s that is not counted: 20s, 500ms, 5m.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners that pay; the n-th pays 1/n as often as the first.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// Payments a second, whether or not earlier ones are answered (an open loop); latencies count
    /// from the moment at which each was meant to be sent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// Afterwards the largest partner sends so many times its share, over connections of its own:
    /// what becomes of the others?
    #[arg(long, requires = "rate", value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub hot_share: Option<u32>,
    /// What stands under load.
    #[command(flatten)]
    pub system: SystemArgs,
}

/// The bench without HTTPS.
#[derive(Clone, Debug, Args)]
pub struct SubmitArgs {
    /// Callers; each submits its next payment when the last one is decided.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub callers: u32,
    /// For how long, after a warm-up of 2 s that is not counted.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners that pay; the n-th pays 1/n as often as the first.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// The cluster that is started.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `application/x-protobuf`.
    Binary,
}

/// The bench of batches.
#[derive(Clone, Debug, Args)]
pub struct BulkArgs {
    /// Transfers in a batch.
    #[arg(long, default_value_t = 8_190, value_parser = clap::value_parser!(u32).range(1..=8_190))]
    pub batch: u32,
    /// How batches are written.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Connections; each sends its next batch when the last one is answered.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub connections: u32,
    /// For how long, after a warm-up of 2 s that is not counted.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners whose books are written to, in turn.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub partners: u32,
    /// Accounts of each partner; each transfer is between two of them.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub accounts: u32,
    /// What stands under load.
    #[command(flatten)]
    pub system: SystemArgs,
}

/// The ceilings.
#[derive(Clone, Debug, Args)]
pub struct LimitArgs {
    /// Connections to the HTTPS server.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// For how long each is measured.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// Where the bare log is written; beside this binary unless told.
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// Other systems.
#[derive(Clone, Debug, Subcommand)]
pub enum Peer {
    /// PostgreSQL from the system: a primary and two synchronous replicas, fsync on.
    Postgres(PeerArgs),
    /// etcd from the system: three members, one put for each payment.
    Etcd(PeerArgs),
}

/// How a peer is measured, and Florin in the same run.
#[derive(Clone, Debug, Args)]
pub struct PeerArgs {
    /// Connections, to the peer and to Florin.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub connections: u32,
    /// For how long each is measured, after a warm-up of 2 s that is not counted.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Wallets that pay; the n-th pays 1/n as often as the first.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// The unprivileged user that the peer's processes run as, if this runs as root.
    #[arg(long, default_value = "nobody")]
    pub user: String,
    /// What Florin is measured on.
    #[command(flatten)]
    pub system: SystemArgs,
}

/// How a ledger grows.
#[derive(Clone, Debug, Args)]
pub struct GrowArgs {
    /// Payments in the ledger at which it is measured, growing.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100000,1000000,10000000,30000000"
    )]
    pub sizes: Vec<u64>,
    /// Connections of the measurements.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// For how long payments are measured at each size, after a warm-up of 2 s.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners whose ledgers grow.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// Where the curve is drawn.
    #[arg(long, default_value = "grow.svg")]
    pub svg: PathBuf,
    /// The cluster that is started.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// An idle cluster.
#[derive(Clone, Debug, Args)]
pub struct IdleArgs {
    /// How many groups its clusters have, one cluster after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    pub groups: Vec<u32>,
    /// For how long each is watched.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// The clusters that are started.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// Killed leaders.
#[derive(Clone, Debug, Args)]
pub struct FailoverArgs {
    /// How many leaders are killed, one after the other.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub kills: u32,
    /// Partners that pay all the while, each over a connection of its own.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub partners: u32,
    /// The cluster that is started.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// Regions far apart.
#[derive(Clone, Debug, Args)]
pub struct RegionsArgs {
    /// Round trips in milliseconds: from the first region to the second, from the first to the
    /// third, from the second to the third.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "30,80,150",
        value_parser = clap::value_parser!(u32).range(1..=1_000)
    )]
    pub round_trips: Vec<u32>,
    /// Connections to the frontend of each region, one region after the other; few, for this is
    /// about latency.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub connections: u32,
    /// For how long each region is measured, after a warm-up of 2 s that is not counted.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners at home in each region.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub partners: u32,
    /// Where the cluster's data lie while it runs; beside this binary unless told.
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// A replica that comes back.
#[derive(Clone, Debug, Args)]
pub struct CatchupArgs {
    /// Payments in the shard when the replica comes back; it is away for the last tenth of them.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    pub payments: u64,
    /// Payments a second, in an open loop, before and meanwhile.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Connections that share them.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// For how long payments are measured before, after a warm-up of 2 s.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners whose ledgers grow, and as many others that pay.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// The cluster that is started, with one shard.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// Allocations.
#[derive(Clone, Debug, Args)]
pub struct AllocationsArgs {
    /// Connections; each sends its next payment when the last one is answered.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// For how long they are counted, after a warm-up of 2 s.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners that pay; the n-th pays 1/n as often as the first.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// The cluster that is started, with one shard and one frontend.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// A cluster that is started for the run.
#[derive(Clone, Debug, Default, Args)]
pub struct OwnArgs {
    /// The topology of the cluster to start; `cluster-configs/one-machine.toml` unless told.
    #[arg(long)]
    pub topology: Option<PathBuf>,
    /// Where its data lie while it runs; beside this binary unless told.
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// What stands under load: a cluster of its own, unless one that runs already is named.
#[derive(Clone, Debug, Default, Args)]
pub struct SystemArgs {
    /// The cluster that is started.
    #[command(flatten)]
    pub own: OwnArgs,
    /// A running cluster instead: what `florin demo --ready-file` wrote.
    #[arg(long, conflicts_with_all = ["url", "topology", "data"])]
    pub ready_file: Option<PathBuf>,
    /// A running cluster instead: its frontend's address.
    #[arg(long, conflicts_with_all = ["topology", "data"], requires_all = ["ca", "admin_url", "admin_token"])]
    pub url: Option<String>,
    /// The certificate authority of that cluster's frontends, a PEM file.
    #[arg(long, requires = "url")]
    pub ca: Option<PathBuf>,
    /// That cluster's admin address.
    #[arg(long, requires = "url")]
    pub admin_url: Option<String>,
    /// That cluster's operator token, to onboard partners with.
    #[arg(long, requires = "url")]
    pub admin_token: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration like 20s, 500ms or 5m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u32 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        _ => return Err(wrong()),
    };
    match unit * number {
        Duration::ZERO => Err("nothing can be measured in no time".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "20", "s", "20 s", "-1s", "1h", "0s", "99999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_needs_its_companions() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("florin-bench pay").is_ok());
        assert!(parse("florin-bench pay --url https://localhost:1").is_err());
        assert!(parse("florin-bench pay --admin-token t").is_err());
        assert!(
            parse(
                "florin-bench pay --url https://a:1 --ca f --admin-url http://a:2 --admin-token t"
            )
            .is_ok()
        );
        assert!(parse("florin-bench pay --connections 0").is_err());
        assert!(
            parse("florin-bench pay --hot-share 10").is_err(),
            "of which rate?"
        );
        assert!(parse("florin-bench pay --rate 5000 --hot-share 10 --json").is_ok());
    }
}
