//! A node: its process, its clock, and whether it runs at the moment.

use std::num::NonZeroU16;

use coordinator::machine::letter::Letter;

use super::agent::Agent;
use super::chair::{Chair, Letters};
use super::logs::Logs;
use super::net::{Net, Parcel, What};
use crate::sim::outside::Outside;
use crate::sim::random::Random;

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    number: usize,
    is_candidate: bool,
    /// `None` while it does not run.
    process: Option<Process>,
    down_until_ms: u64,
    frozen_until_ms: u64,
    /// How far its clock is ahead.
    pub(super) skew_ms: i64,
}

/// What runs on a node.
#[derive(Debug)]
struct Process {
    chair: Chair,
    agent: Agent,
}

impl Node {
    pub(super) const fn new(number: usize, is_candidate: bool) -> Self {
        Self {
            number,
            is_candidate,
            process: None,
            down_until_ms: 0,
            frozen_until_ms: 0,
            skew_ms: 0,
        }
    }

    /// Whether it runs, and is not frozen.
    pub(super) const fn is_awake(&self, now_ms: u64) -> bool {
        self.process.is_some() && self.frozen_until_ms <= now_ms
    }

    /// Whether it runs, and stands still.
    pub(super) const fn is_frozen(&self, now_ms: u64) -> bool {
        self.process.is_some() && self.frozen_until_ms > now_ms
    }

    pub(super) fn agent(&mut self) -> Option<&mut Agent> {
        self.process.as_mut().map(|process| &mut process.agent)
    }

    /// The agent, to be looked at.
    pub(super) fn seen(&self) -> Option<&Agent> {
        self.process.as_ref().map(|process| &process.agent)
    }

    pub(super) fn chair(&mut self) -> Option<&mut Chair> {
        self.process.as_mut().map(|process| &mut process.chair)
    }

    /// It dies: its memory is gone, and with it what a crash takes from its stores.
    pub(super) fn kill(&mut self, until_ms: u64, net: &mut Net, out: &mut Outside) {
        let Some(mut process) = self.process.take() else { return };
        // The others may hear of it, or have to notice.
        if out.random.chance(500)
            && let Some(body) = process.agent.body()
        {
            body.hang_up_all(net, out);
        }
        (self.down_until_ms, self.frozen_until_ms) = (until_ms, 0);
        out.crash_stores(self.number);
    }

    pub(super) const fn freeze(&mut self, until_ms: u64) {
        self.frozen_until_ms = until_ms;
    }

    /// It runs again at once.
    pub(super) const fn wake(&mut self) {
        (self.down_until_ms, self.frozen_until_ms) = (0, 0);
    }

    /// It goes on: starts where it does not run, looks at its clock, and does what is due.
    pub(super) fn go_on(
        &mut self,
        nodes: usize,
        logs: &Logs,
        net: &mut Net,
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        if self.process.is_none() && self.down_until_ms <= out.now_ms {
            let ranges = NonZeroU16::try_from(u16::try_from(out.shape.ranges.len())?)?;
            let shared = (logs, Random::new(out.random.next()), out.wall_ms());
            let chair = Chair::new(self.number, ranges, self.is_candidate, shared)?;
            let agent = Agent::new(self.number, nodes, logs, out);
            self.process = Some(Process { chair, agent });
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        let mut letters = process.chair.work(out.wall_ms());
        letters.extend(process.chair.tick(out.wall_ms()));
        process.agent.go_on(net, out)?;
        if let Some(body) = process.agent.body() {
            body.tick(net, out);
        }
        letters.extend(process.agent.take_letters());
        send(self.number, letters, net, out);
        Ok(())
    }

    /// One step of its data plane.
    pub(super) fn step(&mut self, net: &mut Net, out: &mut Outside) -> anyhow::Result<()> {
        let choice = out.random.below(100);
        let Some(body) = self.agent().and_then(Agent::body) else { return Ok(()) };
        body.look_at_clock(out);
        body.step(choice, net, out)
    }

    /// Everybody on it takes what is waiting.
    pub(super) fn catch_up(&mut self, net: &mut Net, out: &mut Outside) -> anyhow::Result<()> {
        let body = self.agent().and_then(Agent::body);
        body.map_or(Ok(()), |body| body.catch_up(net, out))
    }

    /// How it stands, for who looks for a fault.
    pub(super) fn text(&self) -> String {
        let process = self.process.as_ref();
        process.map_or_else(
            || format!("n{} does not run", self.number),
            |it| format!("{} {:?}", it.agent.text(), it.chair),
        )
    }

    /// Something has arrived.
    pub(super) fn take(
        &mut self,
        parcel: Parcel,
        net: &mut Net,
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        let Parcel { from, what, .. } = parcel;
        let here = self.number;
        let broken = |over: u64| What::Broken(over);
        let Some(process) = &mut self.process else {
            // Nobody is there any more.
            if let What::Hello(over) | What::ToOwner(over, _) = what {
                net.send((here, from), broken(over), out);
            }
            return Ok(());
        };
        let letters = match what {
            What::Letter(letter) => {
                let letters = process.sort(*letter, net, out);
                [letters, process.agent.take_letters()].concat()
            }
            what @ (What::Hello(_) | What::ToOwner(..) | What::ToReader(..) | What::Broken(_)) => {
                if matches!(what, What::Broken(_)) && out.random.chance(500) {
                    process.chair.lost(from);
                }
                match process.agent.body() {
                    Some(body) => body.hear(from, what, net, out)?,
                    None => {
                        if let What::Hello(over) | What::ToOwner(over, _) = what {
                            net.send((here, from), broken(over), out);
                        }
                    }
                }
                Letters::new()
            }
        };
        send(here, letters, net, out);
        Ok(())
    }
}

impl Process {
    /// Each letter goes to who leads, to the agent, or to both.
    fn sort(&mut self, letter: Letter, net: &mut Net, out: &mut Outside) -> Letters {
        match letter {
            Letter::Join(_) | Letter::Report(_) | Letter::Ask(_) => {
                self.chair.hear(letter, out.wall_ms())
            }
            Letter::Leading(_) => {
                let letters = self.chair.hear(letter.clone(), out.wall_ms());
                self.agent.hear(letter, net, out);
                letters
            }
            Letter::Joined { .. } | Letter::Obey { .. } | Letter::Answer { .. } => {
                self.agent.hear(letter, net, out);
                Letters::new()
            }
        }
    }
}

fn send(from: usize, letters: Letters, net: &mut Net, out: &mut Outside) {
    for (to, letter) in letters {
        net.tell((from, to), letter, out);
    }
}
