//! A node of a cluster: its transport, its part in who owns what, and one engine a life.

mod ask;
mod body;
mod carry;
#[cfg(test)]
mod fixtures;
mod front;
mod hub;
mod life;
mod outside;
mod picture;
mod transport;
mod wire;
mod wishes;

use std::sync::Arc;

use anyhow::Context as _;
use coordinator::coordinator::Journals;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::body::EngineBodies;
use self::carry::Carry;
use self::front::{Front, Own};
use self::hub::Hub;
use self::outside::Outside;
pub(super) use self::transport::Transport;
use super::durable::{Ground, cut};
use super::memory::Shares;
use crate::cli::Running;
use crate::cluster;
use crate::config::Config;

/// Starts the node that `config` describes, as one of a cluster. It serves ranges once it has joined.
pub(super) async fn node(config: Config, transport: Transport) -> anyhow::Result<Running> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (clock, witness) = actors::clock::steered();
    let shares = Shares::of(&config)?;
    let ground = Ground::open(&config).await?;
    // Not with `stop`: a life that ends says so, and hands over what it has, while the node stops.
    let end = CancellationToken::new();
    let front = Arc::new(Front::default());
    let hub = Arc::new(Hub::new(Arc::clone(&front)));
    let inbox = Arc::<Hub>::clone(&hub);
    let opened = transport.open(&config.names, clock(), inbox, (&tasks, end.clone()));
    let (peers, address) = opened.await?;
    let journals: Arc<dyn Journals> = Arc::new(ground.journals());
    let bodies = EngineBodies {
        config: config.clone(),
        shares,
        ground: ground.clone(),
        peers: peers.clone(),
        hub: Arc::clone(&hub),
        front: Arc::clone(&front),
        clock: Arc::clone(&clock),
        witness,
    };
    let carry = Arc::new(Carry::new(peers.clone(), Arc::clone(&clock)));
    let setup = cluster::Setup {
        node: config.names.node.clone(),
        address: address.clone(),
        cut: cut(&config),
        settings: config.coordinator.office,
        leave_within: config.coordinator.leave_within,
        seeds: config.discovery.clone(),
        control: ground.control(),
        journals,
        carrier: Arc::<Carry>::clone(&carry),
        bodies: Arc::new(bodies),
        clock: Arc::clone(&clock),
        nonce: actors::clock::nonce,
    };
    let (joined, run) = cluster::start(setup, stop.child_token()).await?;
    hub.connect(&joined);
    front.connect(Outside {
        name: config.names.cluster.clone(),
        me: config.names.node.clone(),
        view: joined.view.clone(),
        admin: joined.admin.clone(),
        carry,
        clock,
    });
    let ending = (stop.clone(), end, tasks);
    let stopped = until_it_ends(run, ending, (joined, ground)).boxed();
    let names = &config.names;
    let started = vec![
        format!("node {} of cluster {}", names.node, names.cluster),
        format!("other nodes reach it at {address}"),
    ];
    let own = Arc::new(Own(Arc::clone(&front)));
    let (api, metrics) = (config.listen.public, config.listen.metrics);
    Ok(Running { backend: front, own, api, metrics, started, stop, stopped })
}

/// The node's part in the cluster, and then the end of all that goes with it.
async fn until_it_ends(
    run: BoxFuture<'static, anyhow::Result<()>>,
    (asked, transport, tasks): (CancellationToken, CancellationToken, TaskTracker),
    held: (cluster::Cluster, Ground),
) -> anyhow::Result<()> {
    let ended = run.await.context("take part in the cluster");
    asked.cancel();
    transport.cancel();
    tasks.close();
    tasks.wait().await;
    drop(held);
    ended
}
