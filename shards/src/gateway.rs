//! The node's side: the service that frontends and operators talk to.

/// What the gateway tells of its node.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// For people.
    pub name: String,
    /// Version of the software.
    pub version: String,
}
