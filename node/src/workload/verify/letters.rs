//! The dead letters that must come of a workload, known by their bytes: where they stood is the broker's affair.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use proto::types::Leg;

use super::report::{Difference, Report};
use super::row::Row;
use crate::workload::broken;
use crate::workload::model::Model;

/// The dead letters that must come, and those that came.
#[derive(Debug)]
pub(super) struct Letters {
    prefix: String,
    letters: HashMap<(Leg, u64), Letter>,
}

#[derive(Debug)]
struct Letter {
    class: &'static str,
    sent: u64,
    found: u64,
}

impl Letters {
    pub(super) fn new(model: &Model, prefix: &str) -> Self {
        let mut letters: HashMap<(Leg, u64), Letter> = HashMap::new();
        for number in 0..model.params().broken_count() {
            let broken = broken::broken(model, number);
            let key = (broken.leg, hash(broken.bytes.as_deref().unwrap_or_default()));
            let letter = Letter { class: broken.class, sent: 0, found: 0 };
            letters.entry(key).or_insert(letter).sent += 1;
        }
        Self { prefix: prefix.to_owned(), letters }
    }

    /// Takes a dead letter; says whether it is one that was not yet there.
    pub(super) fn take(&mut self, row: &Row<'_>, is_repeat: bool, report: &mut Report) -> bool {
        let bytes = row.value.unwrap_or_default();
        let text = || format!("{}: {}", shown(row.error), String::from_utf8_lossy(bytes));
        let Some(leg) = self.leg(row.topic) else {
            report.note(Difference::DeadLetterWrong, || {
                format!("from topic {} is {}", shown(row.topic), text())
            });
            return false;
        };
        let Some(letter) = self.letters.get_mut(&(leg, hash(bytes))) else {
            report.note(Difference::DeadLetterForeign, text);
            return false;
        };
        if row.error != Some(letter.class.as_bytes()) {
            let class = letter.class;
            report.note(Difference::DeadLetterWrong, || format!("must be {class}, is {}", text()));
        }
        if is_repeat && letter.found > 0 {
            return false;
        }
        letter.found += 1;
        if letter.found > letter.sent {
            report.note(Difference::DeadLetterDoubled, text);
            return false;
        }
        true
    }

    fn leg(&self, topic: Option<&[u8]>) -> Option<Leg> {
        let name = std::str::from_utf8(topic?).ok()?.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        // A file's name goes on behind the leg's.
        Leg::ALL.into_iter().find(|leg| name.split('.').next() == Some(leg.name()))
    }

    pub(super) fn finish(&self, report: &mut Report) {
        for ((leg, _), letter) in &self.letters {
            for _ in letter.found..letter.sent {
                report.note(Difference::DeadLetterLost, || {
                    format!("{} in {}.{leg}", letter.class, self.prefix)
                });
            }
        }
    }
}

fn shown(text: Option<&[u8]>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| String::from_utf8_lossy(text).into_owned())
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
