//! The router against nodes that do as they are told, and against real groups.

mod fake;
mod following;
mod routing;
