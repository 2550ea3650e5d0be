//! Starts what a node does in the cluster: the leader's actor, and the agent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use coordinator::clock::Clock;
use coordinator::coordinator::{Cut, Journals};
use coordinator::leader::{self, Leader, Wire};
use coordinator::machine::office::Settings;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::log::Log;
use proto::types::NodeId;
use ractor::{Actor as _, ActorRef};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::agent::{self, Admin, Agent, View};
use super::body::Bodies;
use super::post::{Carrier, Post};
use super::seeds::Seeds;

/// What a node's part in the cluster needs.
pub struct Setup {
    /// The node.
    pub node: NodeId,
    /// Where others reach it.
    pub address: String,
    /// How to cut the key space, if nobody has cut it before.
    pub cut: Cut,
    /// How it leads, and whether.
    pub settings: Settings,
    /// How long it waits, when it is asked to stop, until others have its ranges.
    pub leave_within: Duration,
    /// Where else it asks who leads.
    pub seeds: Seeds,
    /// The control log.
    pub control: Arc<dyn Log>,
    /// All journals.
    pub journals: Arc<dyn Journals>,
    /// Carries bytes to other nodes.
    pub carrier: Arc<dyn Carrier>,
    /// Begins the data plane of each life.
    pub bodies: Arc<dyn Bodies>,
    /// Tells the time.
    pub clock: Clock,
    /// No two calls, of any process, give the same.
    pub nonce: fn() -> u64,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A node's part in the cluster, as the rest of the node knows it.
#[derive(Debug)]
pub struct Cluster {
    /// Takes what other nodes say: [`Post::deliver`], [`Post::lost`].
    pub post: Arc<Post>,
    /// What is known of the cluster.
    pub view: watch::Receiver<View>,
    /// Makes requests for an operator.
    pub admin: Admin,
    /// The actor that may lead.
    pub leader: ActorRef<leader::Message>,
}

/// Starts it. What is given back has to be run for the node to join; it ends when `stop` is
/// cancelled, or with why the node cannot go on.
///
/// # Errors
///
/// Where the leader's actor cannot start.
pub async fn start(
    setup: Setup,
    stop: CancellationToken,
) -> anyhow::Result<(Cluster, BoxFuture<'static, anyhow::Result<()>>)> {
    let carrier = setup.carrier;
    let (post, inbox) = Post::new(setup.node.clone(), setup.address.clone(), carrier);
    let wire: Arc<dyn Wire> = Arc::<Post>::clone(&post);
    let heartbeat = Duration::from_millis(setup.settings.beat_ms);
    let leads = leader::Arguments {
        node: setup.node.clone(),
        address: setup.address.clone(),
        cut: setup.cut,
        settings: setup.settings,
        control: Arc::clone(&setup.control),
        journals: Arc::clone(&setup.journals),
        wire: Arc::clone(&wire),
        clock: Arc::clone(&setup.clock),
        nonces: Box::new(setup.nonce),
    };
    let (leader, ended) = Leader::spawn(None, Leader, leads).await.context("start to lead")?;
    post.connect(leader.clone());
    let agent = agent::Setup {
        node: setup.node,
        address: setup.address,
        heartbeat,
        leave_within: setup.leave_within,
        seeds: setup.seeds,
        control: setup.control,
        journals: setup.journals,
        wire,
        bodies: setup.bodies,
        clock: setup.clock,
        nonces: Box::new(setup.nonce),
    };
    let (agent, view, admin) = Agent::new(agent, inbox);
    let leads = leader.clone();
    let run = async move {
        let outcome = agent.run(stop).await;
        leads.stop(None);
        ended.await.context("stop leading")?;
        outcome
    };
    Ok((Cluster { post, view, admin, leader }, run.boxed()))
}
