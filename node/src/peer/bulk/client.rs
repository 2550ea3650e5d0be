//! Streams that this node opens.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use proto::peer::v1::stream_client::StreamClient;
use proto::peer::v1::{Frame, Hello};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Status, Streaming};

use super::{HTTP_FRAME, PING_AFTER, PING_PATIENCE, first, frames, pump};
use crate::peer::count::Refusal;
use crate::peer::hello::{self, Refused};
use crate::peer::link::Tied;
use crate::peer::net::Node;
use crate::peer::settings::{CONNECTION_WINDOW, FRAME_BYTES, STREAM_WINDOW};
use crate::peer::tls::{BULK, Identity};
use crate::peer::{Address, Duplex, StreamError, dial, pair};

/// A connection that streams are opened on.
#[derive(Clone)]
struct Line {
    channel: Channel,
    proven: Option<Identity>,
    /// Has come true when the connection is gone.
    gone: CancellationToken,
}

/// The connections that are there, one an address.
#[derive(Default)]
pub(in crate::peer) struct Lines(Mutex<HashMap<Address, Line>>);

impl Lines {
    /// Forgets those to other addresses; their streams go on.
    pub(in crate::peer) fn keep(&self, addresses: &BTreeSet<Address>) {
        self.0.lock().retain(|address, _| addresses.contains(address));
    }

    fn to(&self, to: &Address) -> Option<Line> {
        self.0.lock().get(to).filter(|it| !it.gone.is_cancelled()).cloned()
    }
}

/// Opens a stream to `to`, over the connection that is there or over a new one.
pub(in crate::peer) async fn open(node: Arc<Node>, to: Address) -> Result<Duplex, StreamError> {
    if let Some(line) = node.lines.to(&to) {
        // A connection may have died without having been noticed: then a new one decides.
        if let Ok(duplex) = on(Arc::clone(&node), line).await {
            return Ok(duplex);
        }
    }
    match anew(Arc::clone(&node), to.clone()).await {
        Ok(duplex) => Ok(duplex),
        Err(refused) => {
            node.tally.refuse(refused.reason);
            Err(StreamError { to, why: refused.why })
        }
    }
}

async fn anew(node: Arc<Node>, to: Address) -> Result<Duplex, Refused> {
    let line = dial(Arc::clone(&node), to.clone()).await?;
    let duplex = on(Arc::clone(&node), line.clone()).await?;
    node.lines.0.lock().insert(to, line);
    Ok(duplex)
}

async fn dial(node: Arc<Node>, to: Address) -> Result<Line, Refused> {
    let (link, proven) = dial::connect(&node, &to, BULK).await?;
    let gone = CancellationToken::new();
    let mut link = Some(Tied::new(link, node.stop.clone(), gone.clone()));
    // Once: another connection could lead to another node, which nobody would have checked.
    let connector = tower::service_fn(move |_: Uri| {
        let link = link.take().map(TokioIo::new);
        async move { link.ok_or_else(|| std::io::Error::other("the connection is gone")) }
    });
    let endpoint = Endpoint::from_static("http://peer")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(HTTP_FRAME)
        .http2_keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_PATIENCE)
        .keep_alive_while_idle(true);
    let channel = endpoint.connect_with_connector(connector);
    let channel = tokio::time::timeout(node.settings.pace.handshake, channel).await;
    let channel = channel.map_err(|_| Refused::new(Refusal::Silent, "no HTTP/2 in time"))?;
    let channel = channel.map_err(|why| Refused::new(Refusal::Protocol, why.to_string()))?;
    Ok(Line { channel, proven, gone })
}

/// Opens a stream on that connection, and checks who is at its other end.
async fn on(node: Arc<Node>, line: Line) -> Result<Duplex, Refused> {
    let (duplex, outgoing, taken) = pair();
    let opening = begin(line.channel, hello::of(&node.settings, None), outgoing);
    let opened = tokio::time::timeout(node.settings.pace.handshake, opening).await;
    let opened = opened.map_err(|_| Refused::new(Refusal::Silent, "no answer in time"))?;
    let (hello, incoming) = opened.map_err(|status| {
        let is_refusal = status.code() == tonic::Code::PermissionDenied;
        let reason = if is_refusal { Refusal::ByPeer } else { Refusal::Protocol };
        Refused::new(reason, status.message())
    })?;
    let hello = hello.ok_or_else(|| Refused::new(Refusal::Protocol, "no hello came first"))?;
    hello::check(&hello, &node.settings, line.proven.as_ref())?;
    node.tasks.spawn(pump(incoming, taken, node.stop.clone()));
    Ok(duplex)
}

async fn begin(
    channel: Channel,
    hello: Hello,
    outgoing: mpsc::UnboundedReceiver<Bytes>,
) -> Result<(Option<Hello>, Streaming<Frame>), Status> {
    let mut client = StreamClient::new(channel)
        .max_decoding_message_size(FRAME_BYTES)
        .max_encoding_message_size(FRAME_BYTES);
    let mut incoming = client.open(frames(hello, outgoing)).await?.into_inner();
    Ok((first(&mut incoming).await?, incoming))
}
