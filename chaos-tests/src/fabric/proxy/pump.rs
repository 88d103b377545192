//! Connections through one proxy: what comes in at one end goes out at the other when its link
//! lets it.

use crate::fabric::lanes::Lanes;
use crate::limits::{PIECE, PIECES, STALL, STALL_LIMIT};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a packet without content takes on a wire: opening and closing are packets too.
const EMPTY: usize = 40;

/// Whose connections to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// The place of who dials.
    pub(super) from: usize,
    /// The place of who listens.
    pub(super) to: usize,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

/// A piece of a stream and when it arrives; without bytes: the stream's end.
struct Piece {
    due: Duration,
    bytes: Vec<u8>,
}

/// Passes every connection that comes in at a door.
pub(super) async fn serve(door: TcpListener, route: Route, lanes: Arc<Lanes>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = door.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(pass(stream, route, lanes.clone()));
                }
                // Out of files: the next one may find some.
                Err(_) => tokio::time::sleep(STALL).await,
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// One connection, both ways, until both have ended or one is broken.
async fn pass(near: TcpStream, route: Route, lanes: Arc<Lanes>) {
    let Route { from, to, address } = route;
    let opened = offer(&lanes, from, to, EMPTY).await;
    wait_for(&lanes, opened).await;
    let Ok(far) = TcpStream::connect(address).await else {
        return;
    };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let _one_is_broken = tokio::try_join!(
        pump(near_in, far_out, &lanes, from, to),
        pump(far_in, near_out, &lanes, to, from),
    );
}

/// One direction. Pieces are under way while others are read, so a delay does not cost throughput.
async fn pump(
    mut source: OwnedReadHalf,
    mut sink: OwnedWriteHalf,
    lanes: &Lanes,
    from: usize,
    to: usize,
) -> std::io::Result<()> {
    let (sent, mut under_way) = mpsc::channel::<Piece>(PIECES);
    let reading = async move {
        let mut buffer = vec![0; PIECE];
        loop {
            let length = source.read(&mut buffer).await?;
            let bytes = buffer.get(..length).unwrap_or_default().to_vec();
            let due = offer(lanes, from, to, bytes.len().max(EMPTY)).await;
            let over = bytes.is_empty();
            if sent.send(Piece { due, bytes }).await.is_err() || over {
                return Ok(());
            }
        }
    };
    let writing = async {
        while let Some(piece) = under_way.recv().await {
            wait_for(lanes, piece.due).await;
            sink.write_all(&piece.bytes).await?;
        }
        sink.shutdown().await
    };
    tokio::try_join!(reading, writing).map(drop)
}

/// Offers a piece until the link takes it, ever more seldom, as TCP sends again what was lost.
async fn offer(lanes: &Lanes, from: usize, to: usize, bytes: usize) -> Duration {
    let mut stall = STALL;
    loop {
        let fate = lanes.lock().offer(from, to, lanes.now(), bytes);
        if let Some(due) = fate.first {
            return due;
        }
        tokio::time::sleep(stall).await;
        stall = (stall * 2).min(STALL_LIMIT);
    }
}

async fn wait_for(lanes: &Lanes, due: Duration) {
    let left = due.saturating_sub(lanes.now());
    if !left.is_zero() {
        tokio::time::sleep(left).await;
    }
}
