//! Wall clocks that are wrong.

use super::{Doing, Fault, Injected, Scene};
use crate::fabric::Host;
use anyhow::Result;

/// The topic of the line that is armed.
const TOPIC: &str = "clock";

/// The clocks of some nodes are wrong by so many seconds.
pub struct Jump {
    hosts: Vec<Host>,
    seconds: i64,
}

impl Jump {
    /// Ahead, or back if it is negative.
    pub fn new(hosts: Vec<Host>, seconds: i64) -> Jump {
        Jump { hosts, seconds }
    }

    fn arm(&self, scene: &Scene, lines: &[String]) -> Result<()> {
        for host in &self.hosts {
            scene.playground.arm(*host)?.set(TOPIC, lines)?;
        }
        Ok(())
    }
}

impl Fault for Jump {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let began = scene.now();
            self.arm(scene, &[format!("clock {:+}s", self.seconds)])?;
            Ok(Injected { began })
        })
    }

    /// The processes say by how much their clocks are shifted.
    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let mut said = Vec::new();
            for host in &self.hosts {
                let Some(shift) = scene.playground.arm(*host)?.clock_shift() else {
                    return Ok(None);
                };
                let seconds = shift / 1_000;
                if seconds != self.seconds {
                    return Ok(None);
                }
                said.push(format!(
                    "the clock of {} is {seconds:+} s off",
                    scene.name(*host)
                ));
            }
            Ok(Some(said.join("; ")))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async { self.arm(scene, &[]) })
    }
}
