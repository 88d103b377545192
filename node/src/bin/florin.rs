//! The `florin` binary.

use std::process::ExitCode;

/// Returns memory to the system and scales over threads better than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    florin_node::commands::main()
}
