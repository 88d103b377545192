//! What this machine lets us break. Each ability is tried out, not guessed: a namespace is made, a
//! disk's power is cut, a process is traced; and all of it is taken away again.

mod tries;

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What a fault may need of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The rights of root.
    Root,
    /// Network namespaces with TUN devices: packets lost, late, doubled and out of order.
    Packets,
    /// Proxies on the loopback: streams cut, late and slow.
    Streams,
    /// File systems in files: disks that fill up.
    LoopDisks,
    /// ext4's shutdown: disks that lose power.
    PowerCuts,
    /// Tracing: syncs that fail or are slow in any build.
    Strace,
    /// libfaketime: wall clocks that jump in any build.
    Faketime,
    /// A build with failpoints: crashes at named places, failing and slow syncs, clocks, mutants.
    Failpoints,
    /// Room for data and reports.
    Room,
    /// Processors for the nodes, the load and the fabric.
    Cores,
}

/// Whether the machine can do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// What.
    pub need: Need,
    /// Whether it can.
    pub able: bool,
    /// What was seen.
    pub why: String,
    /// What would help; empty if nothing has to.
    pub remedy: &'static str,
}

impl Need {
    /// All of them, in the order in which they are told.
    pub const ALL: [Need; 10] = [
        Need::Root,
        Need::Packets,
        Need::Streams,
        Need::LoopDisks,
        Need::PowerCuts,
        Need::Strace,
        Need::Faketime,
        Need::Failpoints,
        Need::Room,
        Need::Cores,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Need::Root => "root",
            Need::Packets => "packets",
            Need::Streams => "streams",
            Need::LoopDisks => "loop disks",
            Need::PowerCuts => "power cuts",
            Need::Strace => "strace",
            Need::Faketime => "faketime",
            Need::Failpoints => "failpoints",
            Need::Room => "room",
            Need::Cores => "cores",
        }
    }

    /// What can be broken with it.
    pub fn breaks(self) -> &'static str {
        match self {
            Need::Root => "what packets, loop disks and power cuts stand on",
            Need::Packets => "links: cut, delay, jitter, loss, reorder, duplicate, rate",
            Need::Streams => "links: cut, delay, jitter, loss as stalls, rate",
            Need::LoopDisks => "disks that fill up",
            Need::PowerCuts => "disks that lose power",
            Need::Strace => "failing and slow syncs, in any build",
            Need::Faketime => "wall clocks, in any build",
            Need::Failpoints => "crashes at named places, failing and slow syncs, clocks, mutants",
            Need::Room => "data of five nodes, histories and reports",
            Need::Cores => "latencies that mean something under load",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Need::Root => "run it as root, or with sudo",
            Need::Packets => {
                "root, iproute2 and util-linux (`ip`, `nsenter`), and /dev/net/tun (`modprobe tun`; in \
                 a container: --cap-add NET_ADMIN --cap-add SYS_ADMIN --device /dev/net/tun)"
            }
            Need::Streams => "let it listen on 127.0.0.1",
            Need::LoopDisks => {
                "root, e2fsprogs and util-linux (`mkfs.ext4`, `losetup`, `mount`), and /dev/loop-control \
                 (`modprobe loop`; in a container: --privileged)"
            }
            Need::PowerCuts => "what loop disks need, and a kernel with ext4 since 4.16",
            Need::Strace => "apt-get install strace; kernel.yama.ptrace_scope at most 1",
            Need::Faketime => "apt-get install libfaketime",
            Need::Failpoints => {
                "cargo build --profile chaos --features florin-chaos/faults -p florin-node -p florin-chaos"
            }
            Need::Room => "4 GiB where TMPDIR points to",
            Need::Cores => "2 cores at least; 4 for figures",
        }
    }
}

/// Tries everything out.
pub fn examine() -> Vec<Ability> {
    let tried = |need: Need| match tries::attempt(need) {
        Ok(why) => Ability {
            need,
            able: true,
            why,
            remedy: "",
        },
        Err(why) => Ability {
            need,
            able: false,
            why,
            remedy: need.remedy(),
        },
    };
    Need::ALL.map(tried).to_vec()
}

/// Tries out what is needed alone; answers what is missing, each in one sentence.
pub fn missing(needs: &[Need]) -> Vec<String> {
    let tried = needs.iter().map(|need| (need, tries::attempt(*need)));
    let missing = tried.filter_map(|(need, tried)| {
        let why = tried.err()?;
        Some(format!(
            "no {}: {why}; it takes: {}",
            need.name(),
            need.remedy()
        ))
    });
    missing.collect()
}

/// As a table for people.
pub fn table(abilities: &[Ability]) -> String {
    let mut text = String::new();
    for ability in abilities {
        let able = if ability.able { "yes" } else { "no" };
        let (name, breaks) = (ability.need.name(), ability.need.breaks());
        let _to_memory = writeln!(text, "{able:<4} {name:<11} {breaks}");
        let _to_memory = writeln!(text, "{:16} {}", "", ability.why);
        if !ability.able {
            let _to_memory = writeln!(text, "{:16} it takes: {}", "", ability.remedy);
        }
    }
    text
}

/// As JSON for programs.
pub fn json(abilities: &[Ability]) -> String {
    serde_json::to_string_pretty(abilities).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_tried_and_told() {
        let abilities = examine();
        let needs: Vec<Need> = abilities.iter().map(|one| one.need).collect();
        assert_eq!(needs, Need::ALL);
        let (table, json) = (table(&abilities), json(&abilities));
        println!("{table}");
        for ability in &abilities {
            assert!(table.contains(ability.need.name()), "{table}");
            assert!(!ability.why.is_empty(), "{ability:?}");
            assert_eq!(ability.remedy.is_empty(), ability.able, "{ability:?}");
        }
        let told: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(told.len(), Need::ALL.len());
        assert_eq!(told[0]["need"], "root");
    }

    #[test]
    fn what_is_missing_is_what_cannot_be_done() {
        let able: Vec<Need> = examine()
            .into_iter()
            .filter(|one| one.able)
            .map(|one| one.need)
            .collect();
        let missing = missing(&Need::ALL);
        assert_eq!(missing.len() + able.len(), Need::ALL.len(), "{missing:?}");
        assert!(missing.iter().all(|said| said.contains("it takes: ")));
    }
}
