//! `throughline generate`: sends a workload to Kafka or files, and leaves its exact outcome beside it.

mod files;
mod kafka;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use proto::types::Leg;

use super::broken;
use super::expected::Expected;
use super::kafka::KafkaArgs;
use super::model::Model;
use super::murmur;
use super::nowhere;
use super::params::Params;
use super::record::{Writer, contradicted};
use super::schedule::{Entry, Schedule, What};

/// Writes the bank workload, and the exact outcome that must come of it
#[derive(Clone, Debug, clap::Args)]
pub struct GenerateArgs {
    /// The workload.
    #[command(flatten)]
    pub params: Params,
    /// Which record goes where.
    #[command(flatten)]
    pub layout: Layout,
    /// Where the brokers are.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Write files of JSON lines into this folder instead of Kafka
    #[arg(long, value_name = "FOLDER", conflicts_with = "brokers")]
    pub dir: Option<PathBuf>,
    /// How the producer compresses
    #[arg(long, value_name = "CODEC", default_value = "none", value_parser = CODECS)]
    pub compression: String,
    /// Add to topics that already hold records. Then what comes out no longer equals the expected outcome alone
    #[arg(long)]
    pub append: bool,
    /// When records are sent.
    #[command(flatten)]
    pub pace: Pace,
    /// Where to write the expected outcome [default: PREFIX.expected.json]
    #[arg(long, value_name = "FILE")]
    pub expected: Option<PathBuf>,
}

/// What a producer can compress with.
const CODECS: [&str; 5] = ["none", "lz4", "zstd", "gzip", "snappy"];

/// Which record goes where.
#[derive(Clone, Debug, clap::Args)]
pub struct Layout {
    /// What the topics are called before `.trace`, `.request` and `.response`
    #[arg(long, value_name = "PREFIX", default_value = "bank")]
    pub topic_prefix: String,
    /// Partitions of each topic, where it doesn't exist yet; files for each leg
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    pub partitions: u32,
    /// Key each record by its transaction id and place it as Kafka's default partitioner does
    #[arg(long)]
    pub keyed: bool,
}

/// When records are sent.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Pace {
    /// Begin now, and send each record when its time has come. Overrides --t0
    #[arg(long)]
    pub live: bool,
}

/// What was sent.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Records in all topics.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Where the expected outcome is.
    pub expected: PathBuf,
}

/// A record on its way.
#[derive(Debug)]
struct Record<'a> {
    leg: Leg,
    partition: u32,
    arrival_ms: u64,
    key: Option<&'a str>,
    value: Option<&'a [u8]>,
}

/// Takes records.
trait Target {
    /// How many partitions the leg's topic has.
    fn partitions(&self, leg: Leg) -> u32;

    /// Takes the next record.
    fn put(&mut self, record: &Record<'_>) -> anyhow::Result<()>;

    /// Lets others see what was put so far; called when there is time.
    fn flush(&mut self) -> anyhow::Result<()>;

    /// Waits until all is where it belongs.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// Generates a workload. Blocks until it is sent; `now_ms` is the wall clock.
///
/// # Errors
///
/// Where the workload would have no definite outcome, the topics hold records already, or a record
/// was not delivered.
pub fn generate(args: &GenerateArgs, now_ms: &dyn Fn() -> u64) -> anyhow::Result<Summary> {
    let mut params = args.params;
    if args.pace.live {
        params.t0_ms = now_ms();
    }
    params.check(args.layout.partitions)?;
    let began_ms = now_ms();
    let mut target: Box<dyn Target> = match (&args.dir, &args.kafka.brokers) {
        (Some(dir), _) => Box::new(files::Files::create(dir, &args.layout)?),
        (None, Some(_)) => Box::new(kafka::Topics::open(args, &params, began_ms)?),
        (None, None) => bail!(nowhere("say where to: `--brokers HOST:PORT` or `--dir FOLDER`")),
    };
    let model = Model::new(params);
    let expected = Expected::of(&model, &args.layout.topic_prefix);
    let path = expected_path(args);
    expected.write(&path)?;
    let progress = progress(expected.record_count());
    let sender = Sender {
        model: &model,
        writer: Writer::default(),
        keyed: args.layout.keyed,
        next: [0; 3],
        buffer: String::new(),
    };
    let pace = args.pace.live.then_some(now_ms);
    let (records, bytes) = sender.send_all(target.as_mut(), pace, &progress)?;
    target.finish()?;
    progress.finish_and_clear();
    let elapsed_ms = now_ms().saturating_sub(began_ms);
    Ok(Summary { records, bytes, elapsed_ms, expected: path })
}

fn expected_path(args: &GenerateArgs) -> PathBuf {
    let name = format!("{}.expected.json", args.layout.topic_prefix);
    let beside = || args.dir.clone().unwrap_or_default().join(name);
    args.expected.clone().unwrap_or_else(beside)
}

/// Shown on standard error where that is a terminal, else hidden.
fn progress(records: u64) -> ProgressBar {
    let style = "{bar:30} {human_pos}/{human_len} records  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is a fixed text");
    ProgressBar::new(records).with_style(style)
}

/// Turns the schedule into records.
struct Sender<'a> {
    model: &'a Model,
    writer: Writer,
    keyed: bool,
    /// For each leg, how many records went round robin so far.
    next: [u32; 3],
    buffer: String,
}

impl Sender<'_> {
    fn send_all(
        mut self,
        target: &mut dyn Target,
        pace: Option<&dyn Fn() -> u64>,
        progress: &ProgressBar,
    ) -> anyhow::Result<(u64, u64)> {
        let (mut records, mut bytes) = (0, 0);
        for entry in Schedule::new(self.model) {
            if let Some(now_ms) = pace {
                wait_until(entry.arrival_ms, now_ms, target)?;
            }
            let length = self.send(entry, target).context("send a record")?;
            records += 1;
            bytes += u64::try_from(length).expect("usize has at most 64 bits");
            if records % 1_024 == 0 {
                progress.set_position(records);
            }
        }
        Ok((records, bytes))
    }

    fn send(&mut self, entry: Entry, target: &mut dyn Target) -> anyhow::Result<usize> {
        let (index, leg) = match entry.what {
            What::Leg(index, leg) => {
                let transaction = self.model.transaction(index);
                self.writer.write(self.model, &transaction, leg, &mut self.buffer);
                (index, leg)
            }
            What::Contradiction(index, leg) => {
                let other = contradicted(&self.model.transaction(index), leg);
                self.writer.write(self.model, &other, leg, &mut self.buffer);
                (index, leg)
            }
            What::Broken(number) => return self.send_broken(number, target),
        };
        let key = self.keyed.then(|| self.model.id(index));
        let partitions = target.partitions(leg);
        let partition = match &key {
            Some(key) => murmur::partition_of(key.as_bytes(), partitions),
            None => self.next_partition(leg, partitions),
        };
        let value = Some(self.buffer.as_bytes());
        let arrival_ms = entry.arrival_ms;
        target.put(&Record { leg, partition, arrival_ms, key: key.as_deref(), value })?;
        Ok(self.buffer.len())
    }

    fn send_broken(&mut self, number: u64, target: &mut dyn Target) -> anyhow::Result<usize> {
        let broken = broken::broken(self.model, number);
        let (leg, arrival_ms) = (broken.leg, broken.arrival_ms);
        let partition = self.next_partition(leg, target.partitions(leg));
        let value = broken.bytes.as_deref();
        target.put(&Record { leg, partition, arrival_ms, key: None, value })?;
        Ok(value.map_or(0, <[u8]>::len))
    }

    fn next_partition(&mut self, leg: Leg, partitions: u32) -> u32 {
        let next = &mut self.next[leg.index()];
        let partition = *next % partitions;
        *next = (partition + 1) % partitions;
        partition
    }
}

fn wait_until(
    time_ms: u64,
    now_ms: &dyn Fn() -> u64,
    target: &mut dyn Target,
) -> anyhow::Result<()> {
    let mut is_flushed = false;
    loop {
        let left_ms = time_ms.saturating_sub(now_ms());
        if left_ms == 0 {
            return Ok(());
        }
        if !is_flushed {
            target.flush()?;
            is_flushed = true;
        }
        // On a thread of its own, which nothing else waits for; waking early does no harm.
        std::thread::park_timeout(Duration::from_millis(left_ms.min(5)));
    }
}

#[cfg(test)]
mod tests;
