//! A process that leads when it should: the office and the scribe of the real one, in rounds.

use std::future::poll_fn;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::task::Poll;

use super::world::{RANGES, ToNode, World};
use crate::fixtures::{cut, node};
use crate::leader::Scribe;
use crate::machine::health;
use crate::machine::letter::Letter;
use crate::machine::office::{Effect, Job, Office, Settings};
use crate::machine::pace::Limits;
use crate::testing::dice;
use crate::testing::memory_log::MemoryLog;

/// Nodes say that they live every 500 ms.
fn settings() -> Settings {
    let health = health::Settings::new(500, 2_000, 5_000).unwrap();
    // Two ranges of the size that is assumed.
    let limits = Limits { bytes_in_flight: 128 << 20, moves_per_node: 2 };
    // The world says who asks to lead.
    Settings { is_candidate: false, beat_ms: 500, health, limits, ..Settings::default() }
}

/// One life of the process. It ends only by death.
pub(super) async fn live(world: Arc<World>, which: usize, seed: u64) {
    let me = node(&format!("coordinator-{which}"));
    let ranges = NonZeroU16::new(RANGES).unwrap();
    let control = Arc::<MemoryLog>::clone(&world.control);
    let journals = Arc::<World>::clone(&world);
    let mut scribe =
        Scribe::new((me.clone(), cut(ranges)), control, journals, Box::new(dice(seed)));
    let mut office = Office::new(me, String::new(), settings(), world.now_ms());
    loop {
        if world.contends(which) && office.leading().is_none() {
            office.contend();
        }
        let mut effects = office.tick(world.now_ms());
        for letter in world.take_for_leader(which) {
            effects.extend(office.hear(letter, world.now_ms()));
        }
        // What is decided while the store works is done after it.
        while !effects.is_empty() {
            effects = act(&world, which, (&mut office, &mut scribe), effects).await;
        }
        rest(&world, which).await;
    }
}

async fn act(
    world: &World,
    which: usize,
    (office, scribe): (&mut Office, &mut Scribe),
    effects: Vec<Effect>,
) -> Vec<Effect> {
    let mut further = Vec::new();
    for effect in effects {
        match effect {
            Effect::Tell { to, letter: Letter::Obey { orders, .. }, .. } => {
                world.note(&orders, false);
                for order in orders {
                    world.tell_node(&to, &ToNode::Obey(order));
                }
            }
            Effect::Tell { to, letter: Letter::Joined { member, ticket }, .. } => {
                world.tell_node(&to, &ToNode::Joined(member, ticket));
            }
            Effect::Tell { .. } => {}
            Effect::Do(job) => {
                if let Job::Work { changes, orders } = &job {
                    world.note(orders, !changes.is_empty());
                }
                let outcome = scribe.perform(job).await;
                // While it was at work others spoke.
                for letter in world.take_for_leader(which) {
                    further.extend(office.hear(letter, world.now_ms()));
                }
                further.extend(office.tick(world.now_ms()));
                further.extend(office.done(outcome, scribe.known(), world.now_ms()));
            }
        }
    }
    further
}

/// Waits for the next round.
async fn rest(world: &World, which: usize) {
    world.rest(which);
    let mut rested = false;
    poll_fn(|_| if std::mem::replace(&mut rested, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}
