//! A workload that is not there from the start but comes at its rate, from the program's own generator.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use node::workload::expected::Expected;
use node::workload::kafka::{KafkaArgs, partitions};
use node::workload::model::Model;
use node::workload::params::{Oddities, Params};
use proto::types::Leg;

use super::{Delivery, Drain, PARTITIONS};
use crate::broker::Broker;
use crate::process::{Process, program};

/// So often it is asked whether a topic is there.
const LOOKS: u32 = 600;
const LOOK: Duration = Duration::from_millis(50);

/// A broker says that a topic is made before it tells others of it.
fn wait_for_topics(brokers: &KafkaArgs, prefix: &str) -> anyhow::Result<()> {
    let consumer = brokers.consumer()?;
    let wanted = usize::try_from(PARTITIONS)?;
    for topic in Leg::ALL.map(|leg| format!("{prefix}.{}", leg.name())) {
        let mut looks = 0;
        while partitions(&consumer, &topic)?.is_none_or(|it| it.len() < wanted) {
            looks += 1;
            ensure!(looks < LOOKS, "wait for topic {topic}");
            std::thread::park_timeout(LOOK);
        }
    }
    Ok(())
}

impl Drain {
    /// Three topics for the workload of `params`, empty until [`Drain::feed`].
    ///
    /// # Errors
    ///
    /// Where the workload has no definite outcome, or the broker refuses.
    pub async fn live(
        broker: &Broker,
        name: &str,
        params: Params,
        delivery: Delivery,
    ) -> anyhow::Result<Self> {
        params.check(PARTITIONS)?;
        for leg in Leg::ALL {
            broker
                .create_topic(&format!("{name}.{}", leg.name()), PARTITIONS.cast_signed(), &[])
                .await?;
        }
        let (brokers, prefix) = (super::brokers(&broker.bootstrap()), name.to_owned());
        tokio::task::spawn_blocking(move || wait_for_topics(&brokers, &prefix)).await??;
        // When it begins is not yet known, and changes no count.
        let expected = Expected::of(&Model::new(params), name);
        let folder = tempfile::tempdir().context("make the nodes' folder")?;
        Self::with(folder, (&broker.bootstrap(), name), expected, delivery)
    }

    /// Where the brokers are.
    #[must_use]
    pub fn brokers(&self) -> KafkaArgs {
        super::brokers(&self.bootstrap)
    }

    /// What the topics of results are called before the dot.
    #[must_use]
    pub fn results_prefix(&self) -> String {
        format!("{}.out", self.name)
    }

    /// Starts to send it: each record when its time has come, the first one now. Ends with the last record.
    ///
    /// # Errors
    ///
    /// Where the program has not been built.
    pub fn feed(&self) -> anyhow::Result<Process> {
        let it = &self.expected.parameters;
        let Oddities { missing, duplicates, conflicts, late, malformed } = it.oddities;
        let mut words = vec!["generate".to_owned(), "--live".to_owned()];
        words.extend(self.is_keyed.then(|| "--keyed".to_owned()));
        let mut say = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        say("brokers", self.bootstrap.clone());
        say("topic-prefix", self.name.clone());
        say("expected", self.folder().join("expected.json").display().to_string());
        for (name, value) in [
            ("transactions", it.transactions),
            ("seed", it.seed),
            ("rate", it.rate),
            ("max-delay", it.max_delay_s),
            ("lateness", it.lateness_s),
            ("skew", it.skew_s),
            ("hasten", it.hasten),
        ] {
            say(name, value.to_string());
        }
        let shares = [missing, duplicates, conflicts, late, malformed];
        let names = ["missing", "duplicates", "conflicts", "late", "malformed"];
        names.into_iter().zip(shares).for_each(|(name, it)| say(name, it.to_string()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        start(&words, &self.folder().join("generate.log"))
    }
}

fn start(words: &[&str], log: &Path) -> anyhow::Result<Process> {
    Process::start(&program()?, words, log).context("start to send the workload")
}
