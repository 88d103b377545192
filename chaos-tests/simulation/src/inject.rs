//! How each class of faults is made.

use crate::chaos::{Mend, Pair, Trapped, fault};
use crate::config::Class;
use crate::machine::{Death, Machine, Order};
use crate::traps::{self, Trap};
use crate::world::World;
use florin_ledger::id::{GroupId, NodeId};
use florin_raft::Role;
use florin_storage::disk::Disk;
use florin_storage::disk::sim::{Faults, Misdirected};
use std::sync::Arc;
use std::time::Duration;

/// What was broken: whose, in words, and for how long.
type Broken = Option<(Vec<String>, String, Duration)>;

impl World<'_> {
    /// Breaks something of this class, if that is possible now.
    pub(crate) fn inject(&mut self, class: Class) {
        let broken = match class {
            Class::Kill | Class::PowerCut => self.crash(class),
            Class::PowerCutAll => self.cut_all(),
            Class::Stop => self.stop(),
            Class::TornWrite => self.tear(),
            Class::Partition | Class::OneWay | Class::Bridge | Class::Hold => self.separate(class),
            Class::Delay | Class::Loss => self.disturb(class),
            Class::Deposed => self.depose(),
            Class::LeaseTrap => self.trap(),
            Class::Clock => self.jump(),
            Class::SlowDisk | Class::SyncError | Class::WriteError | Class::FullDisk => {
                self.fail_disk(class)
            }
            Class::Misdirect | Class::BitFlip => self.damage(class),
            Class::Wipe => self.wipe(),
            Class::LostStore => self.lose_store(),
            Class::Transfer => self.transfer(),
            Class::Lag => self.lag(),
            Class::Failpoint => self.arm(),
        };
        if let Some((targets, what, lasts)) = broken {
            tracing::info!(?class, ?targets, what, ?lasts, "broke");
            *self.chaos.counts.entry(class).or_default() += 1;
            self.record.fault(fault(class, &targets, what, lasts));
        }
    }

    /// A group, its leader if it has one.
    fn led(&mut self) -> Option<(GroupId, Arc<Machine>)> {
        let group =
            GroupId(u32::try_from(self.chaos.dice.roll(u64::from(self.config.groups) + 1)).ok()?);
        let leads = |machine: &&Arc<Machine>| {
            let replica = machine
                .running()
                .and_then(|running| running.host.group(group));
            replica.is_some_and(|replica| replica.status().role == Role::Leader)
        };
        let leader = self.machines.iter().find(leads).cloned();
        Some((group, leader?))
    }

    /// A computer that is up, half of the time one that leads.
    fn victim(&mut self) -> Option<Arc<Machine>> {
        if self.chaos.dice.chance(50)
            && let Some((_, leader)) = self.led()
        {
            return Some(leader);
        }
        let up: Vec<_> = self
            .machines
            .iter()
            .filter(|one| one.is_up())
            .cloned()
            .collect();
        self.chaos.dice.pick(&up)
    }

    /// One, a minority, or all that are up.
    fn victims(&mut self) -> Vec<Arc<Machine>> {
        let Some(first) = self.victim() else {
            return Vec::new();
        };
        let mut others: Vec<_> = self
            .machines
            .iter()
            .filter(|one| one.is_up())
            .cloned()
            .collect();
        others.retain(|one| one.node != first.node);
        self.chaos.dice.shuffle(&mut others);
        let more = match self.chaos.dice.roll(10) {
            0..6 => 0,
            6..9 => self.minority() - 1,
            _ => others.len(),
        };
        others.truncate(more);
        others.insert(0, first);
        others
    }

    pub(crate) fn minority(&self) -> usize {
        (self.machines.len() - 1) / 2
    }

    /// Whether one more disk may be wounded: at most a minority at the same time.
    fn may_wound(&self, node: NodeId) -> bool {
        let mut wounded = self.duties.open();
        wounded.extend(&self.chaos.damaged);
        wounded.extend(&self.chaos.lacking);
        !wounded.contains(&node) && wounded.len() < self.minority()
    }

    fn crash(&mut self, class: Class) -> Broken {
        let victims = self.victims();
        let mut longest = Duration::ZERO;
        for victim in &victims {
            let down = self.chaos.millis(20, 2_500);
            longest = longest.max(down);
            let death = match class {
                Class::PowerCut => Death::Power(self.chaos.dice.word()),
                _ => Death::Kill,
            };
            self.take_down(victim, death, "killed", down);
        }
        let names: Vec<_> = victims.iter().map(|one| one.name.clone()).collect();
        (!names.is_empty()).then(|| (names, format!("{class:?}"), longest))
    }

    fn cut_all(&mut self) -> Broken {
        let mut names = Vec::new();
        let mut longest = Duration::ZERO;
        for machine in self.machines.clone() {
            if !machine.is_up() {
                continue;
            }
            let down = self.chaos.millis(50, 1_000);
            longest = longest.max(down);
            let death = Death::Power(self.chaos.dice.word());
            self.take_down(&machine, death, "power failed everywhere", down);
            names.push(machine.name.clone());
        }
        (!names.is_empty()).then(|| (names, "no power anywhere".to_owned(), longest))
    }

    fn stop(&mut self) -> Broken {
        let victim = self.victim()?;
        let running = victim.running()?;
        running.orders.send(Order::Stop).ok()?;
        Some((
            vec![victim.name.clone()],
            "stopped in order".to_owned(),
            Duration::from_secs(1),
        ))
    }

    fn tear(&mut self) -> Broken {
        let victim = self.victim()?;
        let after = self.chaos.dice.roll(6);
        victim.power_fails_after(after, self.chaos.dice.word());
        let what = format!("power fails at the disk's change after {after}");
        Some((vec![victim.name.clone()], what, Duration::from_secs(1)))
    }

    fn separate(&mut self, class: Class) -> Broken {
        let lasts = self.chaos.millis(200, 4_000);
        let mut nodes: Vec<_> = self.machines.iter().map(|one| one.name.clone()).collect();
        self.chaos.dice.shuffle(&mut nodes);
        if self.chaos.dice.chance(50)
            && let Some((_, leader)) = self.led()
        {
            nodes.sort_by_key(|name| *name != leader.name);
        }
        let size = usize::try_from(self.chaos.dice.between(1, self.minority() as u64)).unwrap_or(1);
        let (few, many) = nodes.split_at(size);
        // A frontend may be on either side, or reach both.
        let mut few = few.to_vec();
        let mut many = many.to_vec();
        if class == Class::Bridge {
            many.pop();
        }
        for frontend in ["frontend-1", "frontend-2"] {
            match self.chaos.dice.roll(4) {
                0 => few.push(frontend.to_owned()),
                1 => many.push(frontend.to_owned()),
                _ => {}
            }
        }
        let pairs = between(&few, &many);
        let end = self.sim.elapsed() + lasts;
        let mend = match class {
            Class::Hold => {
                for (a, b) in &pairs {
                    self.sim.hold(a.as_str(), b.as_str());
                }
                Mend::Release(pairs.clone())
            }
            Class::OneWay => {
                let outwards = self.chaos.dice.chance(50);
                for (a, b) in &pairs {
                    let (from, to) = if outwards { (a, b) } else { (b, a) };
                    self.sim.partition_oneway(from.as_str(), to.as_str());
                }
                Mend::Repair(pairs.clone())
            }
            _ => {
                self.cut(&pairs);
                Mend::Repair(pairs.clone())
            }
        };
        self.chaos.mend_at(end, mend);
        Some((few.clone(), format!("{class:?} {few:?} | {many:?}"), lasts))
    }

    /// No message passes between these.
    fn cut(&mut self, pairs: &[Pair]) {
        for (a, b) in pairs {
            self.sim.partition(a.as_str(), b.as_str());
            self.chaos.cut.insert((a.clone(), b.clone()));
        }
    }

    fn disturb(&mut self, class: Class) -> Broken {
        let lasts = self.chaos.millis(500, 4_000);
        let end = self.sim.elapsed() + lasts;
        let victim = self.victim()?;
        let pairs = between(
            std::slice::from_ref(&victim.name),
            &self.others(&victim.name),
        );
        let what = if class == Class::Delay {
            let most = self.chaos.millis(20, 120);
            for (a, b) in &pairs {
                self.sim
                    .set_link_max_message_latency(a.as_str(), b.as_str(), most);
            }
            self.chaos.mend_at(end, Mend::Hasten(pairs));
            format!("messages take up to {most:?}")
        } else {
            let per_mille = self.chaos.dice.between(1, 30);
            for (a, b) in &pairs {
                let rate = per_mille as f64 / 1_000.0;
                self.sim.set_link_fail_rate(a.as_str(), b.as_str(), rate);
            }
            self.chaos.mend_at(end, Mend::Keep(pairs));
            format!("{per_mille} in 1000 messages cut a link for a moment")
        };
        Some((vec![victim.name.clone()], what, lasts))
    }

    /// All hosts but this one.
    pub(crate) fn others(&self, name: &str) -> Vec<String> {
        let nodes = self.machines.iter().map(|one| one.name.clone());
        let mut all: Vec<_> = nodes
            .chain(["frontend-1".to_owned(), "frontend-2".to_owned()])
            .collect();
        all.retain(|other| other != name);
        all
    }

    /// A leader and one frontend on one side, everybody else on the other: what the frontend
    /// reads there must not be old.
    fn depose(&mut self) -> Broken {
        let (_, leader) = self.led()?;
        let lasts = self.chaos.millis(1_000, 4_000);
        let few = [leader.name.clone(), "frontend-2".to_owned()];
        let mut many = self.others(&leader.name);
        many.retain(|name| name != "frontend-2");
        let pairs = between(&few, &many);
        let end = self.sim.elapsed() + lasts;
        if self.chaos.dice.chance(70) {
            self.cut(&pairs);
            self.chaos.mend_at(end, Mend::Repair(pairs));
        } else {
            for (a, b) in &pairs {
                self.sim.hold(a.as_str(), b.as_str());
            }
            self.chaos.mend_at(end, Mend::Release(pairs));
        }
        let what = "the leader is alone with a frontend".to_owned();
        Some((few.to_vec(), what, lasts))
    }

    /// A rival hears nothing of the leader and stands for election; the others refuse it, because
    /// they hear of the leader. Then they start again.
    fn trap(&mut self) -> Broken {
        let (_, leader) = self.led()?;
        let mut rivals: Vec<_> = self
            .machines
            .iter()
            .filter(|one| one.is_up())
            .cloned()
            .collect();
        rivals.retain(|one| one.node != leader.node);
        let rival = self.chaos.dice.pick(&rivals)?;
        self.cut(&[(leader.name.clone(), rival.name.clone())]);
        let waits = self.config.election.1 + self.chaos.millis(0, 1_000);
        let at = self.sim.elapsed() + waits;
        let what = format!("a trap for the leader, with {}", rival.name);
        let trapped = Trapped {
            leader: leader.node,
            rival: rival.node,
        };
        self.chaos.mend_at(at, Mend::Spring(trapped));
        Some((
            vec![leader.name.clone()],
            what,
            waits + Duration::from_secs(1),
        ))
    }

    /// The second half of the trap.
    pub(crate) fn spring(&mut self, trapped: &Trapped) {
        let name = |node: NodeId| format!("node-{}", node.0);
        let few = [name(trapped.leader), "frontend-2".to_owned()];
        let mut many = self.others(&name(trapped.leader));
        many.retain(|name| name != "frontend-2");
        let pairs = between(&few, &many);
        self.cut(&pairs);
        for machine in self.machines.clone() {
            if machine.node != trapped.leader && machine.node != trapped.rival && machine.is_up() {
                self.take_down(&machine, Death::Kill, "killed in a trap", Duration::ZERO);
            }
        }
        let end = self.sim.elapsed() + self.chaos.millis(800, 2_000);
        self.chaos.mend_at(end, Mend::Repair(pairs));
        if !self.chaos.active {
            self.chaos.hurry();
        }
    }

    fn jump(&mut self) -> Broken {
        let victim = self.victim()?;
        let lasts = self.chaos.millis(500, 5_000);
        let seconds = i64::try_from(self.chaos.dice.between(1, 7_200)).ok()?;
        let seconds = if self.chaos.dice.chance(50) {
            seconds
        } else {
            -seconds
        };
        victim.set_clock(seconds * 1_000_000);
        let end = self.sim.elapsed() + lasts;
        self.chaos.mend_at(end, Mend::Clock(victim.node));
        Some((
            vec![victim.name.clone()],
            format!("the clock jumps {seconds} s"),
            lasts,
        ))
    }

    fn fail_disk(&mut self, class: Class) -> Broken {
        let victim = self.victim()?;
        let disk = victim.disk();
        let lasts = self.chaos.millis(500, 3_000);
        let end = self.sim.elapsed() + lasts;
        let after = self.chaos.dice.roll(6);
        let what = match class {
            Class::SlowDisk => {
                let takes = self.chaos.millis(30, 500);
                victim.set_sync_time(takes);
                self.chaos.mend_at(end, Mend::Speed(victim.node));
                format!("a round takes {takes:?}")
            }
            Class::FullDisk => {
                let files = disk.list().ok()?;
                let lengths = files.iter().map(|name| disk.open(name)?.length());
                let used: u64 = lengths.sum::<std::io::Result<u64>>().ok()?;
                disk.set_capacity(Some(used + self.chaos.dice.roll(1 << 20)));
                self.chaos.mend_at(end, Mend::Room(victim.node));
                "the disk is full".to_owned()
            }
            Class::SyncError => {
                disk.set_faults(Faults {
                    fail_syncs_after: Some(after),
                    ..Faults::default()
                });
                format!("EIO of the sync after {after}")
            }
            _ => {
                disk.set_faults(Faults {
                    fail_writes_after: Some(after),
                    ..Faults::default()
                });
                format!("EIO of the write after {after}")
            }
        };
        Some((vec![victim.name.clone()], what, lasts))
    }

    fn damage(&mut self, class: Class) -> Broken {
        let victim = self.victim().filter(|one| self.may_wound(one.node))?;
        let disk = victim.disk();
        let mut names = disk.list().ok()?;
        names.retain(|name| name.ends_with(".log"));
        let name = self.chaos.dice.pick(&names)?;
        let used = disk.bytes(&name)?.iter().rposition(|byte| *byte != 0)?;
        let at = self.chaos.dice.roll(used as u64 + 1);
        self.chaos.damaged.insert(victim.node);
        let what = if class == Class::BitFlip {
            let byte = usize::try_from(at).ok()?;
            let bit = u8::try_from(self.chaos.dice.roll(8)).ok()?;
            disk.flip_bit(&name, byte, bit);
            format!("bit {bit} of byte {byte} of {name} flips")
        } else {
            let after = self.chaos.dice.roll(10);
            let offset = at / 512 * 512;
            disk.set_faults(Faults {
                misdirect: Some(Misdirected {
                    after,
                    name: name.clone(),
                    offset,
                }),
                ..Faults::default()
            });
            format!("the write after {after} lands at {offset} of {name}")
        };
        let lasts = self.chaos.millis(200, 2_000);
        let end = self.sim.elapsed() + lasts;
        self.chaos.mend_at(end, Mend::Restart(victim.node));
        Some((vec![victim.name.clone()], what, lasts))
    }

    fn wipe(&mut self) -> Broken {
        let victim = self.victim().filter(|one| self.may_wound(one.node))?;
        self.bring_back_empty(&victim, "its disk is lost");
        Some((
            vec![victim.name.clone()],
            "the disk is lost".to_owned(),
            Duration::from_secs(2),
        ))
    }

    fn lose_store(&mut self) -> Broken {
        let victim = self.victim().filter(|one| self.may_wound(one.node))?;
        let down = self.chaos.millis(50, 800);
        self.take_down(&victim, Death::Kill, "its ledger is lost", down);
        victim.lose_store();
        self.chaos.lacking.insert(victim.node);
        Some((
            vec![victim.name.clone()],
            "the ledger is lost".to_owned(),
            down,
        ))
    }

    fn transfer(&mut self) -> Broken {
        let (group, leader) = self.led()?;
        let mut others = self.machines.clone();
        others.retain(|one| one.node != leader.node);
        let to = self.chaos.dice.pick(&others)?;
        leader
            .running()?
            .orders
            .send(Order::Transfer(group, to.node))
            .ok()?;
        let what = format!("asked to hand group {} to {}", group.0, to.name);
        Some((vec![leader.name.clone()], what, Duration::from_millis(500)))
    }

    fn lag(&mut self) -> Broken {
        let victim = self.victim()?;
        let checkpoints = u32::try_from(self.config.keep_checkpoints).unwrap_or(1) + 2;
        let down = (self.config.checkpoint * checkpoints).min(Duration::from_secs(6));
        self.take_down(&victim, Death::Kill, "down for long", down);
        Some((
            vec![victim.name.clone()],
            "down until it lags".to_owned(),
            down,
        ))
    }

    fn arm(&mut self) -> Broken {
        let victim = self.victim()?;
        let sites: Vec<_> = florin_failpoints::SITES.iter().collect();
        let site = self.chaos.dice.pick(&sites)?;
        let after = match self.chaos.dice.roll(3) {
            0 => 0,
            1 => self.chaos.dice.roll(5),
            _ => self.chaos.dice.roll(60),
        };
        let trap = match self.chaos.dice.roll(4) {
            0 if site.can_fail => Trap::Error,
            1 => Trap::Crash(Death::Power(self.chaos.dice.word())),
            _ => Trap::Crash(Death::Kill),
        };
        traps::arm(victim.node.0, site.name, after, trap);
        None
    }
}

/// All pairs of one of these and one of those.
fn between(few: &[String], many: &[String]) -> Vec<Pair> {
    let pairs = few
        .iter()
        .flat_map(|a| many.iter().map(move |b| (a.clone(), b.clone())));
    pairs
        .filter(|(a, b)| a != b && !(a.starts_with("frontend") && b.starts_with("frontend")))
        .collect()
}
