//! How long the parts of snapshots take.

use actors::clock::Stopwatch;
use actors::histogram::{Distribution, Histogram, WORK};

/// A part of taking a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// A range writes its checkpoint and does nothing else, from the question to the answer; once a range.
    Checkpoint,
    /// A range's files are uploaded, those that are not there yet; once a range.
    Upload,
    /// The manifest that names them all is written.
    Manifest,
    /// A whole snapshot.
    Total,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Checkpoint, Self::Upload, Self::Manifest, Self::Total];

    /// The name in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Upload => "upload",
            Self::Manifest => "manifest",
            Self::Total => "total",
        }
    }
}

/// How long each part took, each time since the process started. What failed is not among them.
#[derive(Debug)]
pub(super) struct Phases([Histogram; 4]);

impl Default for Phases {
    fn default() -> Self {
        Self(Phase::ALL.map(|_| Histogram::new(WORK)))
    }
}

impl Phases {
    /// Does `work` and measures it where it ends well.
    pub(super) async fn measure<T, E>(
        &self,
        phase: Phase,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let stopwatch = Stopwatch::start();
        let done = work.await?;
        self.0[phase as usize].observe(stopwatch.elapsed());
        Ok(done)
    }

    /// By the phases' names.
    pub(super) fn shown(&self) -> Vec<(&'static str, Distribution)> {
        Phase::ALL.into_iter().zip(&self.0).map(|(phase, it)| (phase.name(), it.shown())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_phase_is_measured_where_it_ends_well() {
        let phases = Phases::default();
        let (done, failed) = (async { Ok::<_, ()>(7) }, async { Err::<(), _>("full") });
        assert_eq!(phases.measure(Phase::Upload, done).await, Ok(7));
        assert_eq!(phases.measure(Phase::Total, failed).await, Err("full"));
        let counts: Vec<_> =
            phases.shown().into_iter().map(|(phase, it)| (phase, it.count())).collect();
        assert_eq!(counts, [("checkpoint", 0), ("upload", 1), ("manifest", 0), ("total", 0)]);
    }
}
