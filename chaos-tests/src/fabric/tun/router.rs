//! The thread that carries packets from device to device, and holds back those that are late.

use crate::fabric::lanes::Lanes;
use crate::limits::UNDER_WAY;
use anyhow::{Context, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The largest IP packet.
const PACKET: usize = 65_535;
/// Packets that are taken from one device before the others have their turn.
const TURN: usize = 64;

/// The running thread. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Router {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// Carries packets between these devices, whose places are those of the lanes' hosts.
    pub(super) fn start(
        lanes: Arc<Lanes>,
        devices: Vec<File>,
        addresses: Vec<Ipv4Addr>,
    ) -> Result<Router> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC).context("cannot make an eventfd")?;
        let told = stop.try_clone().context("cannot copy an eventfd")?;
        let mut carrier = Carrier {
            lanes,
            devices,
            addresses,
            late: BinaryHeap::new(),
            under_way: 0,
            count: 0,
        };
        let thread = std::thread::Builder::new()
            .name("fabric".into())
            .spawn(move || carrier.carry_until(&told))
            .context("cannot start the router")?;
        Ok(Router {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _counter_is_never_full = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _its_panic_is_on_standard_error = thread.join();
        }
    }
}

struct Carrier {
    lanes: Arc<Lanes>,
    devices: Vec<File>,
    addresses: Vec<Ipv4Addr>,
    late: BinaryHeap<Reverse<Late>>,
    /// Bytes in `late`.
    under_way: usize,
    /// Packets that ever were late.
    count: u64,
}

/// A packet that arrives later. Those of the same moment arrive in the order in which they came.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Late {
    due: Duration,
    number: u64,
    to: usize,
    packet: Box<[u8]>,
}

impl Carrier {
    fn carry_until(&mut self, stop: &OwnedFd) {
        let mut buffer = vec![0; PACKET];
        loop {
            let Some(ready) = self.wait(stop) else {
                return;
            };
            self.deliver_due();
            for from in ready {
                self.take_turn(from, &mut buffer);
            }
        }
    }

    /// Waits for packets or for the moment at which one is due; nothing: it is time to stop.
    fn wait(&self, stop: &OwnedFd) -> Option<Vec<usize>> {
        let due = self.late.peek().map(|Reverse(next)| next.due);
        let left = due.map(|due| due.saturating_sub(self.lanes.now()));
        let left = left.map(|left| Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut files: Vec<PollFd<'_>> = Vec::with_capacity(self.devices.len() + 1);
        files.push(PollFd::new(stop, PollFlags::IN));
        files.extend(
            self.devices
                .iter()
                .map(|one| PollFd::new(one, PollFlags::IN)),
        );
        match poll(&mut files, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                eprintln!("the fabric stands still: {error}");
                return None;
            }
        }
        let told = |file: &PollFd<'_>| file.revents().contains(PollFlags::IN);
        if files.first().is_some_and(told) {
            return None;
        }
        let devices = files.iter().skip(1).enumerate();
        Some(
            devices
                .filter(|(_, file)| told(file))
                .map(|(at, _)| at)
                .collect(),
        )
    }

    fn deliver_due(&mut self) {
        let now = self.lanes.now();
        while self
            .late
            .peek()
            .is_some_and(|Reverse(next)| next.due <= now)
        {
            let Some(Reverse(next)) = self.late.pop() else {
                return;
            };
            self.under_way -= next.packet.len();
            self.write(next.to, &next.packet);
        }
    }

    /// Takes what waits in a device, up to a turn's worth.
    fn take_turn(&mut self, from: usize, buffer: &mut [u8]) {
        for _ in 0..TURN {
            let Some(mut device) = self.devices.get(from) else {
                return;
            };
            let Ok(length) = device.read(buffer) else {
                return;
            };
            let packet = buffer.get(..length).unwrap_or_default();
            if let Some(to) = self.destination(packet).filter(|to| *to != from) {
                self.route(from, to, packet);
            }
        }
    }

    fn route(&mut self, from: usize, to: usize, packet: &[u8]) {
        let now = self.lanes.now();
        let fate = self.lanes.lock().offer(from, to, now, packet.len());
        for due in [fate.first, fate.again].into_iter().flatten() {
            if due <= now {
                self.write(to, packet);
            } else if self.under_way + packet.len() <= UNDER_WAY {
                self.under_way += packet.len();
                self.count += 1;
                self.late.push(Reverse(Late {
                    due,
                    number: self.count,
                    to,
                    packet: packet.into(),
                }));
            }
        }
    }

    /// Whom a packet is for. What is not IPv4, or for nobody here, goes nowhere: it is the kernel
    /// looking for routers and neighbours.
    fn destination(&self, packet: &[u8]) -> Option<usize> {
        let four = packet.first().is_some_and(|first| first >> 4 == 4);
        let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
        let address = Ipv4Addr::from(address);
        let found = self.addresses.iter().position(|one| *one == address);
        found.filter(|_| four)
    }

    fn write(&self, to: usize, packet: &[u8]) {
        if let Some(mut device) = self.devices.get(to) {
            // A device that takes no more loses packets, as devices do.
            let _lost = device.write(packet);
        }
    }
}
