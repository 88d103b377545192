//! The macros by which the product names its joints and its mistakes.

/// Marks a joint of the product by the name that `SITES` explains.
///
/// ```text
/// failpoint!("storage.log.seal");                          may end the process or take its time
/// failpoint!("storage.log.sync", Err(failed()));           may also return this instead of going on
/// failpoint!(async "raft.send.append");                    in async code; waits by tokio's clock
/// failpoint!(async "raft.send.vote", Err(unreachable()));
/// ```
///
/// Expands to nothing without the feature `faults`.
#[cfg(feature = "faults")]
#[macro_export]
macro_rules! failpoint {
    (async $name:literal $(, $otherwise:expr)?) => {
        match $crate::reach(const { $crate::site_number($name) }) {
            $crate::Action::Delay(time) => ::tokio::time::sleep(time).await,
            $($crate::Action::Error => return $otherwise,)?
            _ => {}
        }
    };
    ($name:literal $(, $otherwise:expr)?) => {
        match $crate::reach(const { $crate::site_number($name) }) {
            $crate::Action::Delay(time) => ::std::thread::sleep(time),
            $($crate::Action::Error => return $otherwise,)?
            _ => {}
        }
    };
}

/// Marks a joint of the product; nothing, because the feature `faults` is off.
#[cfg(not(feature = "faults"))]
#[macro_export]
macro_rules! failpoint {
    ($($anything:tt)*) => {};
}

/// Plants the mistake of this name, which `MUTANTS` explains.
///
/// ```text
/// if mutant!("lease-kept-across-restart") { … }       whether it is planted; `false` without the feature
/// mutant!("wall-clock-in-apply" => statements);       done if it is planted; nothing without the feature
/// ```
#[cfg(feature = "faults")]
#[macro_export]
macro_rules! mutant {
    ($name:literal => $($mistake:tt)+) => {
        if $crate::planted(const { $crate::mutant_number($name) }) {
            $($mistake)+
        }
    };
    ($name:literal) => {
        $crate::planted(const { $crate::mutant_number($name) })
    };
}

/// Whether a mistake is planted: never, because the feature `faults` is off.
#[cfg(not(feature = "faults"))]
#[macro_export]
macro_rules! mutant {
    ($name:literal => $($mistake:tt)+) => {};
    ($name:literal) => {
        false
    };
}
