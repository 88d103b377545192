//! Several faults may impair one link at the same time: what each of them does to it is kept apart,
//! and the link is made like all of them together.

use crate::fabric::{Fabric, Host, Link};
use anyhow::Result;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A directed link.
pub type Wire = (Host, Host);

/// Who impairs which link, and how.
#[derive(Debug, Default)]
pub struct Wires {
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    next: u64,
    links: BTreeMap<u64, (Vec<Wire>, Link)>,
}

impl Wires {
    /// Impairs links, beside what others do to them; the number is for [`Wires::mend`].
    pub fn impair(
        &self,
        fabric: &dyn Fabric,
        wires: &[Wire],
        link: Link,
        why: &str,
    ) -> Result<u64> {
        fabric.can(&link)?;
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.next += 1;
        let number = faults.next;
        faults.links.insert(number, (wires.to_vec(), link));
        faults.apply(fabric, wires, why)?;
        Ok(number)
    }

    /// Takes away what one fault did.
    pub fn mend(&self, fabric: &dyn Fabric, number: u64, why: &str) -> Result<()> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match faults.links.remove(&number) {
            Some((wires, _)) => faults.apply(fabric, &wires, why),
            None => Ok(()),
        }
    }
}

impl Faults {
    fn apply(&self, fabric: &dyn Fabric, wires: &[Wire], why: &str) -> Result<()> {
        for wire in wires {
            let on_it = self.links.values().filter(|(all, _)| all.contains(wire));
            let all = on_it.fold(Link::default(), |sum, (_, link)| both(sum, *link));
            fabric.set(wire.0, wire.1, all, why)?;
        }
        Ok(())
    }
}

/// A link that does what both do.
fn both(one: Link, other: Link) -> Link {
    let either = |one: f64, other: f64| 1.0 - (1.0 - one) * (1.0 - other);
    let rates = [one.bytes_per_second, other.bytes_per_second];
    Link {
        cut: one.cut || other.cut,
        delay: one.delay + other.delay,
        jitter: one.jitter + other.jitter,
        loss: either(one.loss, other.loss),
        duplicate: either(one.duplicate, other.duplicate),
        reorder: either(one.reorder, other.reorder),
        bytes_per_second: rates.into_iter().flatten().min(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_several_do_adds_up() {
        let slow = Link::delayed(Duration::from_millis(50));
        let lossy = Link {
            loss: 0.5,
            bytes_per_second: Some(10),
            ..Link::default()
        };
        let all = [slow, lossy, lossy, Link::default()];
        let sum = all.into_iter().fold(Link::default(), both);
        assert_eq!(sum.delay, Duration::from_millis(50));
        assert!((sum.loss - 0.75).abs() < 1e-9, "{sum:?}");
        assert_eq!(sum.bytes_per_second, Some(10));
        assert!(!sum.cut && both(sum, Link::cut()).cut);
    }
}
