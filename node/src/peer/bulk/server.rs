//! Streams that other nodes open.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, StreamExt as _};
use proto::peer::v1::Frame;
use proto::peer::v1::stream_server::{Stream, StreamServer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::{HTTP_FRAME, PING_AFTER, PING_PATIENCE, first, frames, pump};
use crate::peer::count::Refusal;
use crate::peer::hello::{self, Refused};
use crate::peer::link::{Link, Tied};
use crate::peer::net::Node;
use crate::peer::settings::{CONNECTION_WINDOW, FRAME_BYTES, STREAM_WINDOW};
use crate::peer::tls::Identity;
use crate::peer::{Peer, pair};

/// Connections that were let in and that the server has not taken yet.
const WAITING: usize = 64;
/// Streams that a connection may have open.
const STREAMS: u32 = 1_024;

/// A connection for streams, as it was let in.
pub(in crate::peer) struct Arrival {
    link: Tied,
    proven: Proven,
}

/// Whom the connection's certificate names; `None` without TLS.
#[derive(Clone)]
pub(in crate::peer) struct Proven(Option<Identity>);

impl Arrival {
    /// A connection until `end`.
    pub(in crate::peer) fn new(
        link: Link,
        proven: Option<Identity>,
        end: CancellationToken,
    ) -> Self {
        let link = Tied::new(link, end, CancellationToken::new());
        Self { link, proven: Proven(proven) }
    }
}

impl Connected for Arrival {
    type ConnectInfo = Proven;

    fn connect_info(&self) -> Proven {
        self.proven.clone()
    }
}

impl AsyncRead for Arrival {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_read(cx, buf)
    }
}

impl AsyncWrite for Arrival {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.link).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}

/// Serves streams on the connections that are put in.
pub(in crate::peer) fn serve(node: &Arc<Node>) -> mpsc::Sender<Arrival> {
    let (arrivals, arriving) = mpsc::channel(WAITING);
    let arriving = ReceiverStream::new(arriving).map(Ok::<_, io::Error>);
    let service = StreamServer::new(Streams(Arc::clone(node)))
        .max_decoding_message_size(FRAME_BYTES)
        .max_encoding_message_size(FRAME_BYTES);
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(HTTP_FRAME)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(PING_AFTER))
        .http2_keepalive_timeout(Some(PING_PATIENCE))
        .add_service(service);
    let stop = node.stop.clone();
    node.tasks.spawn(async move {
        // Cut off, not drained: whoever reads a stream must bear its end at any time.
        tokio::select! {
            served = server.serve_with_incoming(arriving) => if let Err(why) = served {
                tracing::error!(%why, "streams from other nodes are not served any more");
            },
            () = stop.cancelled() => {}
        }
    });
    arrivals
}

struct Streams(Arc<Node>);

#[tonic::async_trait]
impl Stream for Streams {
    type OpenStream = BoxStream<'static, Result<Frame, Status>>;

    async fn open(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let node = &self.0;
        let proven = request.extensions().get::<Proven>().and_then(|it| it.0.clone());
        let mut incoming = request.into_inner();
        let peer = who(node, &mut incoming, proven).await.map_err(|refused| {
            node.tally.refuse(refused.reason);
            Status::permission_denied(refused.why)
        })?;
        let (duplex, outgoing, taken) = pair();
        node.tasks.spawn(pump(incoming, taken, node.stop.clone()));
        node.inbox.streamed(peer, duplex);
        let ours = hello::of(&node.settings, None);
        Ok(Response::new(frames(ours, outgoing).map(Ok).boxed()))
    }
}

async fn who(
    node: &Node,
    incoming: &mut Streaming<Frame>,
    proven: Option<Identity>,
) -> Result<Peer, Refused> {
    let hello = tokio::time::timeout(node.settings.pace.handshake, first(incoming)).await;
    let silent = Refused::new(Refusal::Silent, "a stream began without a hello");
    let hello = hello.ok().and_then(Result::ok).flatten().ok_or(silent)?;
    let peer = hello::check(&hello, &node.settings, proven.as_ref())?;
    match node.sessions.later_than(&peer) {
        Some(later) => Err(Refused::new(Refusal::Stale, format!("{later} is here"))),
        None => Ok(peer),
    }
}
