//! The owner's side of a connection: frames become messages for the ranges here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use proto::types::{Epoch, NodeId, RangeId};
use ractor::rpc::CallResult;
use ractor::{Actor, ActorRef};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::Duplex;
use super::proxy::Receipts;
use crate::aggregator::Query;
use crate::engine::Links;
use crate::machine::frame::{FrameError, ToOwner, ToReader};
use crate::machine::positions::Position;
use crate::{range, reader};

/// How long a range that was asked how it stands may take; then it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the other side hears record clocks, and thereby that this one lives.
const CLOCKS: Duration = Duration::from_millis(200);
/// So many times without a word from the other side, which speaks several times a second, and the connection ends: what
/// is said to a node that is frozen would pile up (I13).
const SILENT_TICKS: u32 = 15;
/// How many times as rarely it hears what is durable, and which ranges' figures are wanting.
const COMMITTED: u32 = 5;

/// A connection that another node has opened.
pub(crate) struct Serving {
    pub(crate) links: Arc<Links>,
    pub(crate) from: NodeId,
    pub(crate) duplex: Duplex,
}

/// The state of a conversation.
struct Talk {
    links: Arc<Links>,
    outgoing: UnboundedSender<Bytes>,
    /// What stands for the other node's readers.
    readers: ActorRef<reader::Message>,
    /// The ranges that were asked for.
    opened: BTreeMap<RangeId, Epoch>,
    /// Ranges that were asked how they stand, and aggregators that were asked for cells.
    asked: FuturesUnordered<BoxFuture<'static, Vec<ToReader>>>,
    ticks: u32,
    /// Ticks since the other side has said something.
    silent: u32,
}

/// Serves the other node until it goes, says what is no frame, or this node stops.
pub(crate) async fn serve(Serving { links, from, mut duplex }: Serving) {
    let spawned = Actor::spawn(None, Receipts, duplex.outgoing.clone()).await;
    let Ok((readers, _)) = spawned else { return };
    let stopping = links.stopping().clone();
    let (opened, asked) = (BTreeMap::new(), FuturesUnordered::new());
    let outgoing = duplex.outgoing;
    let mut talk = Talk { links, outgoing, readers, opened, asked, ticks: 0, silent: 0 };
    let mut tick = tokio::time::interval(CLOCKS);
    info!(node = %from, "another node reads for ranges here");
    loop {
        tokio::select! {
            frame = duplex.incoming.recv() => {
                let Some(frame) = frame else { break };
                if let Err(error) = talk.hear(&frame) {
                    warn!(node = %from, %error, "connection closed");
                    break;
                }
            }
            Some(answer) = talk.asked.next() => answer.iter().for_each(|frame| talk.say(frame)),
            _ = tick.tick() => {
                talk.tick();
                if talk.silent > SILENT_TICKS {
                    warn!(node = %from, "connection closed: the other side is silent");
                    break;
                }
            }
            () = stopping.cancelled() => break,
        }
    }
    talk.readers.stop(None);
    info!(node = %from, "it does so no more");
}

impl Talk {
    /// Who does not listen any more has closed the other queue too.
    fn say(&self, frame: &ToReader) {
        drop(self.outgoing.send(frame.encode()));
    }

    fn hear(&mut self, frame: &Bytes) -> Result<(), FrameError> {
        self.silent = 0;
        let (range, epoch, message) = match ToOwner::decode(frame)? {
            ToOwner::Clocks(all) => {
                self.links.alignment().hear(&all);
                return Ok(());
            }
            ToOwner::Open(range, epoch) => {
                self.open(range, epoch);
                return Ok(());
            }
            ToOwner::Batch(range, epoch, batch) => {
                (range, epoch, range::Message::Batch(batch, self.readers.clone()))
            }
            ToOwner::CaughtUp(range, epoch, partition, (at, wall)) => {
                (range, epoch, range::Message::CaughtUp(partition, at, wall))
            }
            ToOwner::Figures(dimension, report) => {
                self.links.aggregators().hear(&dimension, report);
                return Ok(());
            }
            ToOwner::Ask(number, dimension, query) => {
                self.ask(number, dimension, query);
                return Ok(());
            }
        };
        // I1: a range hears only who means it under its present epoch.
        if !self.links.served().deliver((range, epoch), message) {
            self.say(&ToReader::NotHere(range, epoch));
        }
        Ok(())
    }

    fn open(&mut self, range: RangeId, epoch: Epoch) {
        let Some(actor) = self.links.served().of(range, epoch) else {
            return self.say(&ToReader::NotHere(range, epoch));
        };
        self.opened.insert(range, epoch);
        self.asked.push(Box::pin(async move {
            vec![match actor.call(range::Message::Report, Some(PATIENCE)).await {
                Ok(CallResult::Success(report)) => {
                    ToReader::Positions(range, epoch, report.positions)
                }
                Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => {
                    ToReader::NotHere(range, epoch)
                }
            }]
        }));
    }

    fn ask(&self, number: u64, dimension: String, query: Query) {
        let links = Arc::clone(&self.links);
        self.asked.push(Box::pin(async move {
            let answer = links.aggregators().ask_here(&dimension, query).await;
            answer.map_or_else(
                || vec![ToReader::NotAnswered(number)],
                |answer| ToReader::answer(number, &answer),
            )
        }));
    }

    fn tick(&mut self) {
        self.silent += 1;
        self.say(&ToReader::Clocks(self.links.alignment().told()));
        self.ticks = (self.ticks + 1) % COMMITTED;
        if self.ticks > 0 {
            return;
        }
        for (dimension, ranges) in self.links.aggregators().wanting() {
            self.say(&ToReader::Wanting(dimension, ranges));
        }
        let served = self.links.served();
        self.opened.retain(|range, epoch| served.of(*range, *epoch).is_some());
        for (&range, &epoch) in &self.opened {
            let positions: Vec<Position> = self.links.committed_of(range);
            if !positions.is_empty() {
                self.say(&ToReader::Committed(range, epoch, positions));
            }
        }
    }
}
