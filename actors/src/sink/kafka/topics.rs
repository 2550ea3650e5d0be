//! Creates the topics that a sink needs and that are not there.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A topic that must be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topic<'a> {
    pub(super) name: &'a str,
    pub(super) partitions: i32,
    /// Whether only the last record of each key has to be kept.
    pub(super) is_compacted: bool,
}

/// Creates those of `topics` that are missing; the others stay as they are.
pub(super) async fn create_missing(config: &ClientConfig, topics: &[Topic<'_>]) -> KafkaResult<()> {
    let config = config.clone();
    let connect = move || -> KafkaResult<_> {
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        // All topics: asking for one by name would create it, with the broker's defaults.
        let metadata = admin.inner().fetch_metadata(None, PATIENCE)?;
        let names: Vec<_> = metadata.topics().iter().map(|it| it.name().to_owned()).collect();
        Ok((admin, names))
    };
    let connected = tokio::task::spawn_blocking(connect).await;
    let (admin, names) = connected.unwrap_or(Err(KafkaError::Canceled))?;
    let missing: Vec<_> = topics
        .iter()
        .filter(|it| !names.iter().any(|name| name == it.name))
        .map(|it| {
            let cleanup = if it.is_compacted { "compact" } else { "delete" };
            // -1: as many replicas as the brokers usually keep.
            NewTopic::new(it.name, it.partitions, TopicReplication::Fixed(-1))
                .set("cleanup.policy", cleanup)
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for created in admin.create_topics(&missing, &options).await? {
        match created {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code)),
        }
    }
    Ok(())
}
