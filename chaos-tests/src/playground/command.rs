//! Programs of the system that are run to their end.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a program; its output, or what it complained about in one sentence.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    feed(program, arguments, "")
}

/// The same with something to read.
pub fn feed(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let failed = |error| format!("{program}: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read to the end says itself what is wrong.
        let _said_by_the_program = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{program} {}: {}",
        arguments.join(" "),
        said.trim()
    ))
}
