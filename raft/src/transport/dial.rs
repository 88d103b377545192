//! Connections to peers.

use super::proto::peers_client::PeersClient;
use crate::limits;
use crate::node::Node;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

/// Opens a connection of its own.
pub(crate) async fn dial(node: &Arc<Node>, address: &str) -> Result<PeersClient<Channel>, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| format!("{address:?} is no address: {error}"))?
        .initial_stream_window_size(Some(limits::WINDOW_BYTES))
        .initial_connection_window_size(Some(limits::WINDOW_BYTES * 2))
        .http2_keep_alive_interval(limits::KEEP_ALIVE)
        .keep_alive_timeout(limits::KEEP_ALIVE);
    let connect = Arc::clone(&node.options.connect);
    let address = address.to_owned();
    let connector = service_fn(move |_: Uri| {
        let connecting = connect.connect(&address);
        async move { connecting.await.map(TokioIo::new) }
    });
    let channel = endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| describe(&error))?;
    Ok(PeersClient::new(channel)
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES))
}

/// tonic's own message is "transport error"; the reason is at the end of the chain.
fn describe(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
