//! What the operating system would say: randomness and time. Here both come from the seed.
//!
//! std's hashers, `rand` and tokio's `select!` take their randomness from the system, and std's
//! clocks their time. This file puts other functions in the place of libc's, for this program
//! alone: one seed, one run. It is the one place with `unsafe`: a symbol that replaces a foreign
//! one, and writes to the memory that its C callers hand over, can be had in no other way.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// splitmix64's state.
static RANDOM: AtomicU64 = AtomicU64::new(0);
/// From now on time is simulated.
static SIMULATED: AtomicBool = AtomicBool::new(false);
/// Nanoseconds of simulated time, for code outside of any host's runtime.
static NOW: AtomicU64 = AtomicU64::new(0);
static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// What the monotonic clock shows when the simulation begins: not 0, for programs subtract.
const MONOTONIC: Duration = Duration::from_secs(1_000_000);
/// What the wall clock shows when the simulation begins: November 2026.
const WALL: Duration = Duration::from_secs(1_795_000_000);
const CLOCK_REALTIME: i32 = 0;

thread_local! {
    /// Within `clock_gettime`: tokio's clock may ask std's in turn.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Everything random follows this seed from now on, and time stands at its beginning.
pub(crate) fn begin(seed: u64) {
    RANDOM.store(seed, Ordering::SeqCst);
    SIMULATED.store(true, Ordering::SeqCst);
    ORIGIN.get_or_init(Instant::now);
}

/// Tells what time it is to whoever asks outside of a host's runtime.
pub(crate) fn set_now(elapsed: Duration) {
    let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    NOW.store(nanos, Ordering::SeqCst);
}

/// Microseconds of simulated time, as the host that runs sees it.
pub(crate) fn micros() -> u64 {
    nanos() / 1_000
}

/// The wall clock before anybody sets it: microseconds since 1970.
pub(crate) fn wall_micros() -> u64 {
    u64::try_from(WALL.as_micros()).unwrap_or(u64::MAX) + micros()
}

fn nanos() -> u64 {
    let fallback = NOW.load(Ordering::Relaxed);
    let Some(origin) = ORIGIN.get() else {
        return fallback;
    };
    if ASKING.replace(true) {
        return fallback;
    }
    let nanos = match tokio::runtime::Handle::try_current() {
        Ok(_) => {
            let now = tokio::time::Instant::now().into_std();
            u64::try_from(now.saturating_duration_since(*origin).as_nanos()).unwrap_or(fallback)
        }
        Err(_) => fallback,
    };
    ASKING.set(false);
    nanos
}

fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        let state = RANDOM.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let word = crate::dice::mix(state.wrapping_add(0x9E37_79B9_7F4A_7C15));
        for (byte, random) in chunk.iter_mut().zip(word.to_le_bytes()) {
            *byte = random;
        }
    }
}

/// As libc's, but from the seed.
#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller lends `length` writable bytes, as the manual demands.
    fill(unsafe { std::slice::from_raw_parts_mut(buffer, length) });
    isize::try_from(length).unwrap_or(isize::MAX)
}

/// As libc's, but from the seed.
#[unsafe(no_mangle)]
extern "C" fn getentropy(buffer: *mut u8, length: usize) -> i32 {
    // SAFETY: the caller lends `length` writable bytes, as the manual demands.
    fill(unsafe { std::slice::from_raw_parts_mut(buffer, length) });
    0
}

/// As libc's `struct timespec` on 64-bit Linux.
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

/// As libc's, but by the simulation's clock once it has begun.
#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: i32, time: *mut Timespec) -> i32 {
    let now = if !SIMULATED.load(Ordering::Relaxed) {
        real(clock)
    } else if clock == CLOCK_REALTIME {
        WALL + Duration::from_nanos(nanos())
    } else {
        MONOTONIC + Duration::from_nanos(nanos())
    };
    let now = Timespec {
        seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        nanos: i64::from(now.subsec_nanos()),
    };
    // SAFETY: the caller lends a timespec to be written, as the manual demands.
    unsafe { time.write(now) };
    0
}

/// What the system's clock says, asked without libc.
fn real(clock: i32) -> Duration {
    let id = match clock {
        CLOCK_REALTIME => rustix::time::ClockId::Realtime,
        _ => rustix::time::ClockId::Monotonic,
    };
    let now = rustix::time::clock_gettime(id);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// How long this process has really run, for the summary. Does not enter the simulation.
pub(crate) fn real_elapsed_since(start: Duration) -> Duration {
    real(1).saturating_sub(start)
}

/// Now by the real monotonic clock.
pub(crate) fn real_now() -> Duration {
    real(1)
}
