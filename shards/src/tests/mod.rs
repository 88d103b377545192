//! The router against nodes that do as they are told, and against real groups.

mod cluster;
mod fake;
mod following;
mod forming;
mod real;
mod replacing;
mod routing;
