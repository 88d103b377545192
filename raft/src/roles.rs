//! What a peer's certificate says about it.

use florin_ledger::id::NodeId;

/// The roles in a peer's certificate. The node's TLS acceptor hands this on as tonic's connect
/// info, so that it is found in the extensions of every request on that connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRoles {
    /// The certificate's DNS names, for messages.
    pub names: Vec<String>,
    /// The node it is, if it is one (`node-<id>.node.florin.internal`).
    pub node: Option<NodeId>,
    /// It may submit and read for partners (`frontend.florin.internal`).
    pub frontend: bool,
    /// It may form clusters and change members (`operator.florin.internal`).
    pub operator: bool,
}
