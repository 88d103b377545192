//! Every failpoint, and what it means.

/// A failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// `room.part.step`.
    pub name: &'static str,
    /// Where in the work it stands.
    pub meaning: &'static str,
    /// Whether the step can fail by itself, so that it may be armed with an error.
    pub can_fail: bool,
}

/// A joint that takes no error.
const fn site(name: &'static str, meaning: &'static str) -> Site {
    let can_fail = false;
    Site {
        name,
        meaning,
        can_fail,
    }
}

/// A step that can fail by itself.
const fn step(name: &'static str, meaning: &'static str) -> Site {
    let can_fail = true;
    Site {
        name,
        meaning,
        can_fail,
    }
}

/// The number of a failpoint in [`SITES`]. Fails to compile for a name that is not there.
pub const fn site_number(name: &str) -> usize {
    let mut number = 0;
    while number < SITES.len() {
        if same(SITES[number].name, name) {
            return number;
        }
        number += 1;
    }
    panic!("no failpoint has this name: see SITES")
}

pub(crate) const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// All failpoints, by room and in the order of the work.
pub const SITES: &[Site] = &[
    step(
        "disk.write",
        "before bytes are written to a real file of the log",
    ),
    step("disk.sync", "before a real file of the log is synced"),
    site(
        "storage.log.seal",
        "before the log, idle or closing, writes a round without content",
    ),
];
