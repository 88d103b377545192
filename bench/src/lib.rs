//! The load generator: it starts a cluster, pays, and counts what came of it.
//!
//! Read in this order: [`cli`] is what may be asked, [`pay`] the bench of single payments;
//! [`system`] is what stands under load, [`client`] the lean HTTP client that loads it,
//! [`partners`] who pays, [`skew`] how often each, [`tally`] what is counted, [`audit`] whether
//! the books agree with it, [`report`] how it is told.
//!
//! The generator shares the machine with the system, so each of its requests has to be cheap: one
//! thread, one buffer per connection, nothing parsed that is not needed.

pub mod audit;
pub mod cli;
pub mod client;
pub mod partners;
pub mod pay;
pub mod report;
pub mod skew;
pub mod system;
pub mod tally;
