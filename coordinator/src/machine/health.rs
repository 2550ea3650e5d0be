//! The failure detector: who is held alive, suspect or dead, from the heartbeats that were heard.
//!
//! It serves speed, never safety (I12): a wrong guess costs a move, since whoever is held dead is
//! fenced before anything of it is given on. All times are readings of one monotonic clock, the
//! observer's own, in milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use super::member::Member;
use super::table::Table;

/// How often a node says that it lives, in milliseconds. A leader's ticks come as often, or more.
pub const HEARTBEAT_MS: u64 = 250;
/// After how much silence a member is suspect, in milliseconds.
pub const SUSPECT_MS: u64 = 1_000;
/// After how much silence a member is held dead, in milliseconds.
pub const DEAD_MS: u64 = 5_000;
/// After how much silence a member is held dead whose connection has broken, in milliseconds.
pub const LOST_MS: u64 = 1_000;

/// How many heartbeats may be lost before silence says anything.
const LEAST_HEARTBEATS: u64 = 3;
/// An observer whose ticks are this many heartbeats apart was not there to hear anything.
const ABSENT_HEARTBEATS: u64 = 2;

/// How much silence says what. Made by [`Settings::new`], or the defaults.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    absent_ms: u64,
    suspect_ms: u64,
    lost_ms: u64,
    dead_ms: u64,
}

/// Why times cannot be used together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A lost message or two would make a node suspect.
    #[error(
        "`suspect-ms` must be at least {LEAST_HEARTBEATS} heartbeats, and a heartbeat at least 1 ms"
    )]
    Suspect,
    /// Nobody would ever be suspect and not dead.
    #[error("`dead-ms` must be greater than `suspect-ms`")]
    Dead,
    /// A broken connection would make a node dead before it is suspect, or later than silence does.
    #[error("`lost-ms` must be no less than `suspect-ms`, and no more than `dead-ms`")]
    Lost,
}

/// What is thought of a member.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Health {
    /// It was heard lately, or silence proves nothing yet.
    Alive,
    /// It has been silent: nothing new should depend on it.
    Suspect,
    /// It has been silent for too long, or its node has begun another life. This is final.
    Dead,
}

/// What one observer has heard of the members, and what follows from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Detector {
    settings: Settings,
    ticked_ms: u64,
    /// The members that the control log calls alive.
    members: BTreeMap<Member, Heard>,
    /// Whether broken connections say something: not where most are quiet, since then it is rather
    /// the observer that is cut off.
    believes_hints: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    /// Its silence counts from here.
    At(u64),
    /// So here, and its connection has broken since: less silence will do.
    Lost(u64),
    /// Nothing that it says counts any more.
    Dead,
}

impl Settings {
    /// Settings in which each time leaves room for the one before.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], naming the rule that is broken.
    pub const fn new(
        heartbeat_ms: u64,
        suspect_ms: u64,
        dead_ms: u64,
    ) -> Result<Self, SettingsError> {
        if heartbeat_ms == 0 || suspect_ms / LEAST_HEARTBEATS < heartbeat_ms {
            return Err(SettingsError::Suspect);
        }
        if dead_ms <= suspect_ms {
            return Err(SettingsError::Dead);
        }
        // Without more being said, a broken connection says nothing.
        let lost_ms = dead_ms;
        Ok(Self { absent_ms: heartbeat_ms * ABSENT_HEARTBEATS, suspect_ms, lost_ms, dead_ms })
    }

    /// The same, with so much patience with members whose connection has broken.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Lost`].
    pub const fn when_lost(self, lost_ms: u64) -> Result<Self, SettingsError> {
        if lost_ms < self.suspect_ms || lost_ms > self.dead_ms {
            return Err(SettingsError::Lost);
        }
        Ok(Self { lost_ms, ..self })
    }

    /// How much silence makes a member dead whose connection has broken, in milliseconds.
    #[must_use]
    pub const fn lost_ms(self) -> u64 {
        self.lost_ms
    }

    /// How far apart two ticks are between which the observer was not there, in milliseconds.
    #[must_use]
    pub const fn absent_ms(self) -> u64 {
        self.absent_ms
    }
}

impl Default for Settings {
    fn default() -> Self {
        let settings = Self::new(HEARTBEAT_MS, SUSPECT_MS, DEAD_MS);
        let settings = settings.and_then(|it| it.when_lost(LOST_MS));
        settings.expect("the defaults obey their own rules")
    }
}

impl Detector {
    /// Who begins to observe: it has heard nobody, and gives everybody the full time from now on.
    #[must_use]
    pub const fn new(settings: Settings, now_ms: u64) -> Self {
        Self { settings, ticked_ms: now_ms, members: BTreeMap::new(), believes_hints: true }
    }

    /// A heartbeat of `member` came at `at_ms`. One of a member that the last tick did not find in
    /// the table, or that is held dead, says nothing.
    pub fn heard(&mut self, member: &Member, at_ms: u64) {
        let Some(heard) = self.members.get_mut(member) else { return };
        *heard = match *heard {
            Heard::At(before) | Heard::Lost(before) => Heard::At(before.max(at_ms)),
            Heard::Dead => Heard::Dead,
        };
    }

    /// The connection to `member` has broken: a hint, which the next heartbeat takes back.
    pub fn lost(&mut self, member: &Member) {
        let Some(heard) = self.members.get_mut(member) else { return };
        if let Heard::At(at) = *heard {
            *heard = Heard::Lost(at);
        }
    }

    /// This observer has listened to `member` before it began to judge, and heard it last at `at_ms`.
    pub fn missed(&mut self, member: Member, at_ms: u64) {
        self.members.insert(member, Heard::At(at_ms.min(self.ticked_ms)));
    }

    /// Time has passed. `table` says whom to observe. Must be called once a heartbeat at least, by
    /// the same process that takes heartbeats in: what it was not there to hear was not silence.
    pub fn tick(&mut self, table: &Table, now_ms: u64) {
        let absent = now_ms.saturating_sub(self.ticked_ms) >= self.settings.absent_ms;
        self.ticked_ms = self.ticked_ms.max(now_ms);
        self.believes_hints = self.quiet() * 2 <= self.living().count();
        let before = std::mem::take(&mut self.members);
        let mut lives = table.alive().peekable();
        while let Some(member) = lives.next() {
            // Lives ascend: a node's last is the one that is followed by another node's.
            let is_over = lives.peek().is_some_and(|next| next.node == member.node);
            let heard = match before.get(member) {
                Some(&heard) if !absent => self.judged(heard),
                Some(Heard::At(_) | Heard::Lost(_)) | None => Heard::At(self.ticked_ms),
                Some(Heard::Dead) => Heard::Dead,
            };
            self.members.insert(member.clone(), if is_over { Heard::Dead } else { heard });
        }
    }

    /// What is thought of `member` since the last tick. One that the table does not call alive is
    /// dead.
    #[must_use]
    pub fn health(&self, member: &Member) -> Health {
        match self.members.get(member) {
            None | Some(Heard::Dead) => Health::Dead,
            Some(&(Heard::At(at) | Heard::Lost(at))) => {
                let is_suspect = self.silence(at) >= self.settings.suspect_ms;
                if is_suspect { Health::Suspect } else { Health::Alive }
            }
        }
    }

    /// The members that the table calls alive and that are held dead.
    #[must_use]
    pub fn held_dead(&self) -> BTreeSet<Member> {
        let dead = self.members.iter().filter(|&(_, heard)| *heard == Heard::Dead);
        dead.map(|(member, _)| member.clone()).collect()
    }

    /// When a tick will change what is thought of somebody, if nothing more is heard; `None` where
    /// silence can change nothing.
    #[must_use]
    pub fn next_change_ms(&self) -> Option<u64> {
        let due = |heard: &Heard| match *heard {
            Heard::Dead => None,
            Heard::At(at) | Heard::Lost(at) => {
                let is_suspect = self.silence(at) >= self.settings.suspect_ms;
                let next =
                    if is_suspect { self.patience(*heard) } else { self.settings.suspect_ms };
                Some(at.saturating_add(next))
            }
        };
        self.members.values().filter_map(due).min()
    }

    fn living(&self) -> impl Iterator<Item = &Heard> {
        self.members.values().filter(|&&heard| heard != Heard::Dead)
    }

    /// How many have lost their connection or are suspect.
    fn quiet(&self) -> usize {
        let is_quiet = |heard: &&Heard| match **heard {
            Heard::At(at) => self.silence(at) >= self.settings.suspect_ms,
            Heard::Lost(_) => true,
            Heard::Dead => false,
        };
        self.living().filter(is_quiet).count()
    }

    /// Dead where silence has lasted long enough, and then for ever.
    const fn judged(&self, heard: Heard) -> Heard {
        match heard {
            Heard::At(at) | Heard::Lost(at) if self.silence(at) >= self.patience(heard) => {
                Heard::Dead
            }
            Heard::At(_) | Heard::Lost(_) | Heard::Dead => heard,
        }
    }

    const fn patience(&self, heard: Heard) -> u64 {
        match heard {
            Heard::Lost(_) if self.believes_hints => self.settings.lost_ms,
            Heard::At(_) | Heard::Lost(_) | Heard::Dead => self.settings.dead_ms,
        }
    }

    const fn silence(&self, since: u64) -> u64 {
        self.ticked_ms.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests;
