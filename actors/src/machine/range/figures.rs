//! A range's figures: what transactions add is committed at once, whole cells only now and then.
//!
//! ```text
//!  commit      7        8        9         10       11
//!  has         added    added    cells     added    added
//!                                └ all that changed behind 6, the last that had cells
//! ```
//!
//! A cell that changed a hundred times is so written once, and read once by its aggregator; what is added
//! takes some 40 bytes a transaction. A restart loads the cells and adds what was added behind them (I8).

use std::sync::Arc;

use proto::types::{RecordTime, Sequence};

use super::super::block::Figures as Committed;
use super::super::codec::Malformed;
use super::super::contribution::each_share;
use super::super::partial::layout::Layout;
use super::super::partial::{Contribution, Partials, Row, window_start};
use super::super::scenario::Scenario;

/// How long cells may lag behind what was added to them: of the wall.
const LAG_MS: u64 = 1_000;
/// Windows that take no more figures are forgotten so much at a time.
const STEP_MS: u64 = 3_600_000;

/// The figures of one range.
#[derive(Debug)]
pub(super) struct Figures {
    partials: Partials,
    /// What was added since the last close.
    added: Vec<u8>,
    /// Whether something was added since cells were committed last.
    is_behind: bool,
    /// The last commit that had cells, its sequence, and when it closed.
    folded: u64,
    told: Sequence,
    folded_ms: u64,
    horizon_ms: u64,
}

impl Figures {
    /// No figures yet.
    pub(super) fn new(layout: Arc<Layout>) -> Self {
        Self {
            partials: Partials::new(layout),
            added: Vec::new(),
            is_behind: false,
            folded: 0,
            told: Sequence(0),
            folded_ms: 0,
            horizon_ms: 0,
        }
    }

    /// Takes up where the commit `folded`, the last that had cells, and `horizon_ms` have left it.
    pub(super) fn begin(&mut self, folded: u64, horizon_ms: u64) {
        self.folded = folded;
        self.forget_before(horizon_ms);
    }

    /// Takes back a cell.
    pub(super) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        self.partials.load(key, value).map_err(|_| Malformed)
    }

    /// Adds again what was added behind the cells.
    pub(super) fn replay(
        &mut self,
        packed: &[u8],
        scenarios: &[Scenario],
    ) -> Result<(), Malformed> {
        self.is_behind = true;
        self.fold(packed, scenarios)
    }

    /// Adds what a transaction contributes.
    pub(super) fn add(&mut self, packed: &[u8], scenarios: &[Scenario]) {
        if packed.is_empty() {
            return;
        }
        self.is_behind = true;
        self.added.extend_from_slice(packed);
        let folded = self.fold(packed, scenarios);
        debug_assert!(folded.is_ok(), "a transaction packs what can be unpacked");
    }

    fn fold(&mut self, packed: &[u8], scenarios: &[Scenario]) -> Result<(), Malformed> {
        let partials = &mut self.partials;
        each_share(packed, |share, dimension, value| {
            let scenario = scenarios.get(usize::from(share.scenario));
            for window in scenario.map_or(&[][..], |it| &it.windows) {
                let window_ms = u32::try_from(window.length_ms()).unwrap_or(u32::MAX);
                partials.add(&Contribution {
                    scenario: share.scenario,
                    window_ms,
                    dimension,
                    start: window_start(share.start, window_ms),
                    value,
                    populations: share.populations,
                    duration_ms: share.duration_ms,
                });
            }
        })
    }

    /// Whether a close now would have cells that lag behind what was added.
    pub(super) const fn are_due(&self, wall_ms: u64) -> bool {
        self.is_behind && self.is_time(wall_ms)
    }

    /// A wall clock that was set back must not stop them.
    const fn is_time(&self, wall_ms: u64) -> bool {
        wall_ms < self.folded_ms || self.folded_ms.saturating_add(LAG_MS) <= wall_ms
    }

    /// Whether something was added that no closed commit has in its cells.
    pub(super) const fn are_behind(&self) -> bool {
        self.is_behind
    }

    /// The next close has cells, however soon it comes.
    pub(super) const fn hurry(&mut self) {
        self.folded_ms = 0;
    }

    /// What commit `commit`, whose last row is `sequence`, says about figures: cells where it is time for
    /// them, also where none has changed, for then too it says up to where they hold.
    pub(super) fn close(&mut self, commit: u64, sequence: Sequence, wall_ms: u64) -> Committed {
        if !self.is_time(wall_ms) {
            return Committed::Added(std::mem::take(&mut self.added));
        }
        self.added.clear();
        self.is_behind = false;
        self.folded_ms = wall_ms;
        let (behind, since) = (self.folded, self.told);
        (self.folded, self.told) = (commit, sequence);
        Committed::Cells { behind, since, cells: self.partials.take_changed() }
    }

    /// Forgets windows that take no more figures: those that ended `kept_ms` before the record clock. Says
    /// from where on the rest is kept, where that has moved.
    pub(super) fn forget(&mut self, clock: RecordTime, kept_ms: u64) -> Option<u64> {
        let horizon_ms = clock.0.saturating_sub(kept_ms) / STEP_MS * STEP_MS;
        if horizon_ms <= self.horizon_ms {
            return None;
        }
        self.forget_before(horizon_ms);
        Some(horizon_ms)
    }

    fn forget_before(&mut self, horizon_ms: u64) {
        self.horizon_ms = horizon_ms;
        if let Ok(horizon) = i64::try_from(horizon_ms)
            && horizon > 0
        {
            self.partials.drop_before(horizon);
        }
    }

    /// The last commit that had cells.
    pub(super) const fn folded(&self) -> u64 {
        self.folded
    }

    /// Windows that ended before this are forgotten; 0 where none are.
    pub(super) const fn horizon_ms(&self) -> u64 {
        self.horizon_ms
    }

    /// The same, as cells know it.
    pub(super) const fn horizon(&self) -> i64 {
        self.partials.horizon()
    }

    /// What the figures are called.
    pub(super) fn layout(&self) -> Arc<Layout> {
        self.partials.layout()
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.partials.len()
    }

    /// Every cell.
    pub(super) fn cells(&self) -> Vec<Row> {
        self.partials.all()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proto::types::EventTime;

    use super::super::super::contribution::{Contributions, Share};
    use super::super::super::fields::FieldTable;
    use super::super::super::partial::layout;
    use super::super::super::scenario::{Condition, Dimension, Populations, Window};
    use super::*;

    fn scenario() -> Scenario {
        let field = FieldTable::default().intern(proto::types::Leg::Trace, "/channel");
        Scenario {
            name: "bank".to_owned(),
            select: Condition::All(vec![]),
            dimensions: vec![Dimension {
                name: "channel".to_owned(),
                field,
                separator: None,
                max_values: 2,
            }],
            populations: Populations::default(),
            indicators: vec![],
            windows: vec![Window::Minute],
        }
    }

    fn figures() -> Figures {
        let dimensions = vec![layout::Dimension { name: "channel".to_owned(), max_values: 2 }];
        let scenario =
            layout::Scenario { name: "bank".to_owned(), dimensions, indicators: Vec::new() };
        Figures::new(Arc::new(Layout { scenarios: vec![scenario] }))
    }

    fn contribution(value: u8) -> Vec<u8> {
        let mut contributions = Contributions::default();
        let start = EventTime(i64::from(value % 2) * 60_000);
        let share = Share { scenario: 0, start, duration_ms: value.into(), populations: 1 };
        contributions.begin(&share, 1);
        contributions.value(&format!("channel-{value}"));
        contributions.packed().to_vec()
    }

    /// What is durable of a range's figures, as the store keeps it.
    #[derive(Default)]
    struct Durable {
        commit: u64,
        folded: u64,
        cells: BTreeMap<Vec<u8>, Vec<u8>>,
        added: BTreeMap<u64, Vec<u8>>,
    }

    impl Durable {
        fn commit(&mut self, figures: &mut Figures, wall_ms: u64) {
            self.commit += 1;
            match figures.close(self.commit, Sequence(self.commit), wall_ms) {
                Committed::Added(added) => drop(self.added.insert(self.commit, added)),
                Committed::Cells { behind, since, cells } => {
                    assert_eq!((behind, since.0), (self.folded, self.folded), "no commit between");
                    self.added.clear();
                    self.cells.extend(cells.into_iter().map(|row| (row.key, row.value)));
                }
            }
            self.folded = figures.folded();
        }

        /// The range as it comes back; its sequence is of no matter here.
        fn restore(&self) -> Figures {
            let mut figures = figures();
            figures.begin(self.folded, 0);
            figures.told = Sequence(self.folded);
            self.cells.iter().for_each(|(key, value)| figures.load(key, value).unwrap());
            self.added.values().for_each(|it| figures.replay(it, &[scenario()]).unwrap());
            figures
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Add(u8),
        Commit { after_ms: u64 },
        Crash,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0_u8..6).prop_map(Step::Add),
            3 => (0_u64..700).prop_map(|after_ms| Step::Commit { after_ms }),
            1 => Just(Step::Crash),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn i8_what_comes_back_is_the_fold_of_what_was_committed_in_its_order(steps in steps()) {
            let (mut range, mut durable, mut wall_ms) = (figures(), Durable::default(), 0);
            let (mut committed, mut open) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Add(value) => {
                        range.add(&contribution(value), &[scenario()]);
                        open.push(value);
                    }
                    Step::Commit { after_ms } => {
                        wall_ms += after_ms;
                        durable.commit(&mut range, wall_ms);
                        committed.append(&mut open);
                    }
                    Step::Crash => {
                        range = durable.restore();
                        open.clear();
                    }
                }
            }
            let mut expected = figures();
            committed.iter().for_each(|&it| expected.add(&contribution(it), &[scenario()]));
            prop_assert_eq!(durable.restore().cells(), expected.cells());
        }
    }

    #[test]
    fn cells_are_due_a_second_after_the_last_or_once_the_wall_was_set_back_or_in_a_hurry() {
        let (mut range, mut durable) = (figures(), Durable::default());
        assert!(!range.are_due(5_000), "nothing lags");
        range.add(&contribution(1), &[scenario()]);
        assert!(range.are_due(5_000));
        durable.commit(&mut range, 5_000);
        assert_eq!((durable.cells.len(), range.are_behind()), (1, false));
        range.add(&contribution(2), &[scenario()]);
        durable.commit(&mut range, 5_999);
        assert_eq!((durable.cells.len(), range.are_behind()), (1, true));
        assert_eq!([5_999, 6_000, 4_999].map(|it| range.are_due(it)), [false, true, true]);
        range.hurry();
        durable.commit(&mut range, 5_999);
        assert_eq!((durable.cells.len(), durable.added.len()), (2, 0));
    }

    #[test]
    fn windows_are_forgotten_an_hour_at_a_time() {
        let mut range = figures();
        range.add(&contribution(1), &[scenario()]);
        assert_eq!(range.forget(RecordTime(STEP_MS + 4), 5), None);
        assert_eq!(range.forget(RecordTime(STEP_MS + 5), 5), Some(STEP_MS));
        assert_eq!(range.forget(RecordTime(STEP_MS + 6), 5), None);
        assert_eq!((range.horizon_ms(), range.cells().len()), (STEP_MS, 0));
    }
}
