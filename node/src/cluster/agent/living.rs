//! One life: the rules of `coordinator::machine::life`, and the body that does what they say.

use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::control_log::ControlError;
use coordinator::machine::letter::Letter;
use coordinator::machine::life::{Deed, Life};
use coordinator::machine::order::Order;
use coordinator::machine::report::{Copy, Report};
use coordinator::machine::share::{aggregators, others_serve, readers, routes};
use coordinator::machine::table::Table;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::types::{Epoch, RangeId, Slot};
use tracing::{info, warn};

use super::{Asked, Setup, addresses};
use crate::cluster::body::{Body, Ending, Map};
use crate::cluster::holding;

/// How often what has failed is tried again, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// Something that happened to an agent.
pub(super) enum Event {
    Letter(Letter),
    Asked(Asked),
    /// The process is to stop.
    Leave,
    Heartbeat,
    Peek,
    /// The control log was read; whether it says more than before.
    Read(Result<bool, ControlError>),
    Begun(anyhow::Result<Arc<dyn Body>>),
    Ended(Ending),
    Stopped,
    Done(Done),
}

/// Something that a body has done.
pub(super) enum Done {
    Served(RangeId, Epoch, anyhow::Result<()>),
    Released(RangeId, Epoch, anyhow::Result<Slot>),
    Warmed(RangeId, Epoch, anyhow::Result<()>),
    Cooled,
}

type Begin = BoxFuture<'static, Event>;

/// A life that goes on.
pub(super) struct Living {
    life: Life,
    /// `None` while it begins.
    body: Option<Arc<dyn Body>>,
    last: Option<Report>,
    retried_ms: u64,
}

impl Living {
    /// A life, and what begins its body.
    pub(super) fn new(life: Life, setup: &Setup) -> (Self, Begin) {
        let (bodies, member) = (Arc::clone(&setup.bodies), life.member().clone());
        let begin = async move { Event::Begun(bodies.begin(&member).await) };
        (Self { life, body: None, last: None, retried_ms: 0 }, begin.boxed())
    }

    pub(super) const fn is_over(&self) -> bool {
        self.life.is_over()
    }

    /// It was asked to stop: see [`Life::leave`].
    pub(super) fn leave(&mut self) {
        self.life.leave();
    }

    /// Whether there is something left of it that another node could have.
    pub(super) fn has_heirs(&self, table: &Table) -> bool {
        self.body.is_some() && others_serve(table, &self.life.member().node)
    }

    /// The body has begun: from now on somebody has to hear when it ends.
    pub(super) fn begun(&mut self, body: Arc<dyn Body>) -> Option<Begin> {
        self.body = Some(Arc::clone(&body));
        Some(async move { Event::Ended(body.ended().await) }.boxed())
    }

    /// Stops the body.
    pub(super) async fn stop(&self) {
        if let Some(body) = &self.body {
            body.stop().await;
        }
    }

    /// What stops the body, after the life.
    pub(super) fn ending(self) -> Begin {
        async move {
            self.stop().await;
            Event::Stopped
        }
        .boxed()
    }

    /// The control log says this by now.
    pub(super) fn follow(&mut self, (table, read): (&Table, Slot), setup: &Setup) -> Vec<Begin> {
        let Some(body) = self.body.clone() else { return Vec::new() };
        let deeds = self.life.follow(table);
        if !self.life.is_over() {
            body.routed(map((table, read), &*body, &self.life));
        }
        deeds.into_iter().map(|deed| self.act(deed, setup, table)).collect()
    }

    pub(super) fn obey(&mut self, orders: &[Order], setup: &Setup, table: &Table) -> Vec<Begin> {
        if self.body.is_none() {
            // It can do nothing yet but end.
            let end = |order: &&Order| matches!(order, Order::Rejoin { .. });
            for order in orders.iter().filter(end) {
                self.life.obey(order, table);
            }
            return Vec::new();
        }
        let deeds: Vec<_> =
            orders.iter().filter_map(|order| self.life.obey(order, table)).collect();
        deeds.into_iter().map(|deed| self.act(deed, setup, table)).collect()
    }

    pub(super) fn done(&mut self, done: Done, setup: &Setup, table: &Table) -> Vec<Begin> {
        let deed = match done {
            Done::Served(range, epoch, Ok(())) => {
                info!(%range, %epoch, "range served");
                self.life.served(range, epoch, true)
            }
            Done::Served(range, epoch, Err(error)) => {
                warn!(%range, %epoch, error = format!("{error:#}"), "cannot serve, trying again");
                self.life.served(range, epoch, false)
            }
            Done::Released(range, epoch, Ok(to)) => {
                info!(%range, %epoch, %to, "range closed");
                self.life.released(range, epoch, Some(to));
                None
            }
            Done::Released(range, epoch, Err(error)) => {
                warn!(%range, %epoch, error = format!("{error:#}"), "cannot close, serving on");
                self.life.released(range, epoch, None);
                None
            }
            Done::Warmed(range, epoch, Err(error)) => {
                warn!(%range, %epoch, error = format!("{error:#}"), "cannot copy");
                self.life.cold(range, epoch);
                None
            }
            Done::Warmed(_, _, Ok(())) | Done::Cooled => None,
        };
        deed.into_iter().map(|deed| self.act(deed, setup, table)).collect()
    }

    /// What has failed is tried again.
    pub(super) fn retry(&mut self, setup: &Setup, table: &Table, now_ms: u64) -> Vec<Begin> {
        if now_ms < self.retried_ms.saturating_add(RETRY_MS) {
            return Vec::new();
        }
        self.retried_ms = now_ms;
        let deeds = self.life.retry();
        deeds.into_iter().map(|deed| self.act(deed, setup, table)).collect()
    }

    /// The next report; `None` where it would say what the last one said, unless it `is_due`.
    pub(super) fn report(&mut self, is_due: bool) -> Option<Report> {
        let copies = self.body.iter().flat_map(|body| body.copies());
        let copies = copies.map(|(range, epoch, is_ready)| Copy { range, epoch, is_ready });
        let loads = self.body.as_ref().filter(|_| is_due).map(|body| body.loads());
        let report = self.life.report(copies.collect(), &loads.unwrap_or_default());
        let is_news = self.last.as_ref().is_none_or(|last| !last.says_same(&report));
        if !is_due && !is_news {
            return None;
        }
        self.last = Some(report.clone());
        Some(report)
    }

    fn act(&self, deed: Deed, setup: &Setup, table: &Table) -> Begin {
        let Some(body) = self.body.clone() else { return futures::future::pending().boxed() };
        let journals = &*setup.journals;
        match deed {
            Deed::Serve { range, epoch } => {
                let holding = holding::owned(table, journals, (range, epoch));
                async move {
                    let served = match holding {
                        Ok(holding) => body.serve(holding).await,
                        Err(error) => Err(error),
                    };
                    Event::Done(Done::Served(range, epoch, served))
                }
                .boxed()
            }
            Deed::Release { range, epoch } => {
                async move { Event::Done(Done::Released(range, epoch, body.release(range).await)) }
                    .boxed()
            }
            Deed::Warm { range, epoch } => {
                let holding = holding::copied(table, journals, (range, epoch));
                async move {
                    let warmed = match holding {
                        Ok(holding) => body.warm(holding).await,
                        Err(error) => Err(error),
                    };
                    Event::Done(Done::Warmed(range, epoch, warmed))
                }
                .boxed()
            }
            Deed::Cool { range } => async move {
                body.cool(range).await;
                Event::Done(Done::Cooled)
            }
            .boxed(),
        }
    }
}

/// What the control log says of who does what, for this life.
fn map((table, read): (&Table, Slot), body: &dyn Body, life: &Life) -> Map {
    let mine = readers(table, body.partitions()).into_iter();
    let partitions: BTreeSet<_> = mine
        .filter(|(_, reader)| reader == life.member())
        .map(|(partition, _)| partition)
        .collect();
    let dimensions = body.dimensions();
    let chosen = aggregators(table, dimensions.iter().map(String::as_str));
    Map {
        version: read.0,
        routes: routes(table),
        partitions,
        aggregators: chosen.into_iter().map(|(name, member)| (name, member.node)).collect(),
        addresses: addresses(table),
    }
}
