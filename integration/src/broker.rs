//! A real Kafka broker of a test's own: started in a folder that is thrown away, killed and started again at will.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::ports;
use crate::process::{Process, script};

const START_PATIENCE: Duration = Duration::from_secs(90);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const ADMIN_PATIENCE: Duration = Duration::from_secs(30);
const ATTEMPTS: usize = 3;

/// One broker, listening on the loopback address only. It ends with this value.
#[derive(Debug)]
pub struct Broker {
    // Before the folder, so that the process is gone when the folder goes.
    process: Process,
    port: u16,
    controller: u16,
    folder: TempDir,
}

impl Broker {
    /// Starts a broker without topics, and returns when it answers. A topic exists only once it is
    /// created: nothing creates one by writing to it.
    ///
    /// # Errors
    ///
    /// Where Java or the broker's files are missing, or it doesn't come up; quotes its log.
    pub async fn start() -> anyhow::Result<Self> {
        let mut attempt = 1;
        loop {
            let folder = tempfile::tempdir().context("make the broker's folder")?;
            let (port, controller) = (ports::free()?, ports::free()?);
            let process = launch(&folder, port, controller)?;
            let mut broker = Self { process, port, controller, folder };
            match broker.wait_up().await {
                Ok(()) => return Ok(broker),
                // Somebody else was quicker at the port: that can happen, other faults are ours.
                Err(_) if attempt < ATTEMPTS && broker.log().contains("BindException") => {
                    attempt += 1
                }
                Err(fault) => return Err(fault.context("start a broker")),
            }
        }
    }

    /// What clients connect to, as `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What the broker has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Creates a topic; `config` is of the kind `("retention.ms", "1000")`.
    ///
    /// # Errors
    ///
    /// Where the broker refuses: for example the topic exists already.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        config: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let answers = self.admin()?.create_topics([&topic], &options()).await;
        only(answers.context("create topic")?).with_context(|| format!("create topic {name}"))?;
        Ok(())
    }

    /// Deletes all records of a partition below `before`, as retention does when it has passed them.
    ///
    /// # Errors
    ///
    /// Where the broker refuses: for example `before` is behind the end.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> anyhow::Result<()> {
        let what = || format!("delete records of {topic}/{partition} below {before}");
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(topic, partition, Offset::Offset(before))
            .with_context(what)?;
        let answer = self.admin()?.delete_records(&offsets, &options()).await.with_context(what)?;
        for element in answer.elements() {
            element.error().with_context(what)?;
        }
        Ok(())
    }

    /// Ends the broker in order: what was acknowledged is on disk.
    ///
    /// # Errors
    ///
    /// Where it had to be killed.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.terminate(STOP_PATIENCE).await.context("stop the broker")?;
        Ok(())
    }

    /// Ends the broker as a crash would.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill9().context("kill the broker")
    }

    /// Starts the broker again on its own data and port, and returns when it answers. One that still
    /// runs is killed before.
    ///
    /// # Errors
    ///
    /// Where it doesn't come up; quotes its log.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.process = launch(&self.folder, self.port, self.controller)?;
        self.wait_up().await.context("restart the broker")
    }

    /// The broker's process, to be frozen and thawed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    // A listening socket is not yet a broker that serves: that is known when it names itself.
    async fn wait_up(&mut self) -> anyhow::Result<()> {
        let (port, bootstrap) = (self.port, self.bootstrap());
        let up = async |_: &mut Process| {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
                && answers(bootstrap.clone()).await
        };
        self.process.wait_until("the broker answered", START_PATIENCE, up).await
    }

    fn admin(&self) -> anyhow::Result<AdminClient<DefaultClientContext>> {
        client(&self.bootstrap()).create().context("make an admin client")
    }
}

fn launch(folder: &TempDir, port: u16, controller: u16) -> anyhow::Result<Process> {
    let path = folder.path().to_str().context("name the broker's folder")?;
    let (port, controller) = (port.to_string(), controller.to_string());
    let log = folder.path().join("broker.log");
    Process::start(&script("kafka.sh"), &["run", path, &port, &controller], &log)
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("log_level", "0");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(ADMIN_PATIENCE))
        .request_timeout(Some(ADMIN_PATIENCE))
}

async fn answers(bootstrap: String) -> bool {
    let ask = move || {
        let admin: AdminClient<DefaultClientContext> = client(&bootstrap).create().ok()?;
        let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(2)).ok()?;
        (!metadata.brokers().is_empty()).then_some(())
    };
    tokio::task::spawn_blocking(ask).await.is_ok_and(|it| it.is_some())
}

/// The answer to the one thing that was asked for.
fn only(answers: Vec<rdkafka::admin::TopicResult>) -> anyhow::Result<String> {
    match answers.into_iter().next() {
        Some(Ok(name)) => Ok(name),
        Some(Err((name, code))) => bail!("{name}: {code}"),
        None => bail!("the broker answered nothing"),
    }
}
