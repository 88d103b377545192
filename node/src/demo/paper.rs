//! What the story is written on: a terminal with some colour, or plain text.

use std::io::{IsTerminal, stdout};

/// Writes paragraphs.
pub(super) struct Paper {
    colour: bool,
    chapter: u32,
}

impl Paper {
    pub(super) fn new() -> Paper {
        let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Paper { colour, chapter: 0 }
    }

    /// A numbered heading.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        println!(
            "\n{}  {}",
            self.paint("1;36", &format!("{}.", self.chapter)),
            self.paint("1", title)
        );
    }

    /// A line of the story.
    pub(super) fn say(&self, text: &str) {
        println!("    {text}");
    }

    /// A named fact.
    pub(super) fn fact(&self, name: &str, value: &str) {
        println!("    {} {value}", self.paint("2", &format!("{name:<14}")));
    }

    /// A line that may be pasted, at the margin so that it is whole.
    pub(super) fn paste(&self, line: &str) {
        println!("{}", self.paint("33", line));
    }

    /// A thing that held, or did not.
    pub(super) fn verdict(&self, held: bool, what: &str) {
        let mark = if held {
            self.paint("1;32", "ok ")
        } else {
            self.paint("1;31", "BAD")
        };
        println!("    {mark} {what}");
    }

    /// The last word.
    pub(super) fn end(&self, held: bool, text: &str) {
        println!("\n{}", self.paint(if held { "1;32" } else { "1;31" }, text));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
