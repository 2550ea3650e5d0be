//! Goes through all states of a model, breadth first, so that what is found is as short as can be.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker as _, Expectation, HasDiscoveries, Model};

/// How many threads explore.
const THREADS: usize = 2;

/// What an exploration found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// How many states were seen.
    pub(crate) states: usize,
    /// The promise that is broken, and by which steps; `None` where all hold in every state.
    pub(crate) broken: Option<String>,
}

impl Found {
    /// Adds another world's exploration.
    pub(crate) fn add(&mut self, other: Self, world: &str) {
        self.states += other.states;
        self.broken = other.broken.map(|broken| format!("{world}: {broken}"));
    }

    /// In words.
    pub(crate) fn told(&self) -> String {
        self.broken.as_ref().map_or_else(|| "holds".to_owned(), |it| format!("breaks {it}"))
    }
}

/// Explores until a promise is broken, or until there is nothing more; what is nowhere reached is broken too.
pub(crate) fn explore<M>(model: M) -> Found
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let properties = model.properties();
    let checker = model.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let mut found = checker.discoveries();
    let mut broken = None;
    for property in properties {
        let path = found.remove(property.name);
        let breaks = match (property.expectation, path) {
            (Expectation::Always, Some(path)) => {
                let steps = path.into_actions();
                let steps: Vec<_> = steps.iter().map(|step| format!("{step:?}")).collect();
                format!("{}: {}", property.name, steps.join(", "))
            }
            (Expectation::Sometimes, None) => format!("never: {}", property.name),
            (Expectation::Always | Expectation::Sometimes | Expectation::Eventually, _) => continue,
        };
        // A promise says more than what was not reached when the exploration ended with it.
        broken = broken.or(Some(breaks));
    }
    Found { states: checker.unique_state_count(), broken }
}
