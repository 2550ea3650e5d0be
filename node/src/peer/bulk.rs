//! Bulk data between nodes: gRPC streams, many on a connection, each held up by its own reader only.
//!
//! A stream's window is what may be under way unread. The queues at both ends are their user's: see [`Duplex`].

mod client;
mod server;

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use proto::peer::v1::frame::Kind;
use proto::peer::v1::{Frame, Hello};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

pub(super) use self::client::{Lines, open};
pub(super) use self::server::{Arrival, serve};
use bytes::Bytes;

/// A connection that does not answer within both together is frozen, and closed.
const PING_AFTER: Duration = Duration::from_secs(2);
const PING_PATIENCE: Duration = Duration::from_secs(3);
/// HTTP/2 frames: as large as a batch, so that one is not cut into many.
const HTTP_FRAME: u32 = 64 << 10;

/// Our hello, then what is put into `outgoing`.
fn frames(
    hello: Hello,
    outgoing: mpsc::UnboundedReceiver<Bytes>,
) -> impl Stream<Item = Frame> + Send + 'static {
    let frame = |kind: Kind| Frame { kind: Some(kind) };
    let first = futures::stream::once(std::future::ready(frame(Kind::Hello(hello))));
    let data = UnboundedReceiverStream::new(outgoing).map(move |it| frame(Kind::Data(it)));
    first.chain(data)
}

/// The other side's hello; `None` where it begins otherwise.
async fn first(frames: &mut Streaming<Frame>) -> Result<Option<Hello>, Status> {
    let frame = frames.message().await?;
    Ok(match frame.and_then(|it| it.kind) {
        Some(Kind::Hello(hello)) => Some(hello),
        Some(Kind::Data(_)) | None => None,
    })
}

/// Moves data from the wire to `incoming`, until either ends.
async fn pump(
    mut frames: Streaming<Frame>,
    incoming: mpsc::UnboundedSender<Bytes>,
    stop: CancellationToken,
) {
    loop {
        let frame = tokio::select! {
            frame = frames.message() => frame,
            () = incoming.closed() => return,
            () = stop.cancelled() => return,
        };
        match frame {
            Ok(Some(Frame { kind: Some(Kind::Data(data)) })) => {
                if incoming.send(data).is_err() {
                    return;
                }
            }
            // A second hello, or a kind that a later version knows: what it means for the data is unknown (I14).
            Ok(Some(Frame { kind: Some(Kind::Hello(_)) | None })) => return,
            Ok(None) => return,
            Err(why) => {
                tracing::debug!(why = why.message(), "stream ended");
                return;
            }
        }
    }
}
