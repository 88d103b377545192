//! What must hold.

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Watch {}
