//! Ranges come to be: who watches the journals has to know whose keys are whose.

use coordinator::machine::entry::{Change, Division};

use super::Cluster;

impl Cluster {
    /// The control log says this from now on.
    pub(super) fn note(&mut self, change: &Change) {
        let pair = |it: &Division| (it.range, it.keys);
        let watch = &mut self.out.watch;
        match change {
            Change::Divided { ranges, .. } => watch.divided(ranges.iter().map(pair)),
            Change::Split { range, children, .. } => {
                let children: Vec<_> = children.iter().map(pair).collect();
                watch.split(*range, &children);
            }
            Change::Leader { .. }
            | Change::Joined { .. }
            | Change::Dead { .. }
            | Change::Assigned { .. }
            | Change::Released { .. }
            | Change::Intended { .. }
            | Change::Leaving { .. }
            | Change::Moved { .. }
            | Change::Merged { .. } => {}
        }
    }
}
