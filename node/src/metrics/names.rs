//! The names of all metrics. Dashboards and alerts depend on them: they never change their meaning.

/// What Prometheus does with a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations by bucket, with their sum and number.
    Histogram,
}

/// A metric's name, kind and meaning.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// `throughline_<thing>_<unit>[_total]`.
    pub name: &'static str,
    /// What Prometheus does with it.
    pub kind: Kind,
    /// One sentence for people.
    pub help: &'static str,
}

macro_rules! families {
    ($($name:ident: $kind:ident $metric:literal $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $name: Family =
                Family { name: $metric, kind: Kind::$kind, help: $help };
        )*

        /// Every family.
        pub const ALL: &[Family] = &[$($name,)*];
    };
}

families! {
    BUILD_INFO: Gauge "throughline_build_info" "The version of the node; always 1.";
    RECORDS_CONSUMED: Counter "throughline_records_consumed_total" "Records read and committed.";
    RECORDS_LATE: Counter "throughline_records_late_total" "Records that came after the time in which a result is corrected.";
    BYTES_CONSUMED: Counter "throughline_consumed_bytes_total" "Bytes of records applied.";
    KAFKA_LAG: Gauge "throughline_kafka_lag_records" "Records in a partition that are not yet committed here.";
    PARTITION_CLOCK: Gauge "throughline_partition_clock_seconds" "The record clock of a partition, in Unix time.";
    TRANSACTIONS_EMITTED: Counter "throughline_transactions_emitted_total" "Results by state.";
    DUPLICATES: Counter "throughline_duplicates_total" "Legs that came again, with the same content or with another.";
    DEAD_LETTERS: Counter "throughline_dead_letters_total" "Records that went to the dead letters since the process started, by reason.";
    RESULTS_WAITING: Gauge "throughline_results_waiting_bytes" "Results that the sink has not taken yet, committed or not.";
    OPEN_TRANSACTIONS: Gauge "throughline_open_transactions" "Transactions that wait for a leg.";
    RESULT_FRESHNESS: Gauge "throughline_result_freshness_seconds" "From the newest record in the sources to what is committed.";
    EMIT_LATENCY: Histogram "throughline_emit_latency_seconds" "From the record time of a result's newest leg to the sink's acknowledgement; without results that a deadline made.";
    DELIVERY_DELAY: Histogram "throughline_delivery_delay_seconds" "From the time inside a leg to its arrival in the source; what is read again is counted again.";
    SINK_LATENCY: Histogram "throughline_sink_latency_seconds" "From handing rows to the sink to its acknowledgement of all of them.";
    SINK_RETRIES: Counter "throughline_sink_retries_total" "Failures of the sink, each followed by another try: a delivery, or the question what it has (recovery).";
    MAILBOX_DEPTH: Gauge "throughline_actor_mailbox_depth" "What waits: batches in ranges that have no room, committed rows that the sink has not acknowledged (publisher).";
    SCENARIO_INFO: Gauge "throughline_scenario_info" "A scenario that runs, and the version of its file; always 1.";
    LEDGER_IMBALANCE: Gauge "throughline_ledger_imbalance_records" "Records lost (above 0) or counted twice (below 0) in a topic's worst partition.";
    RANGES: Gauge "throughline_ranges" "Ranges by state.";
    SNAPSHOT_BYTES: Gauge "throughline_snapshot_bytes" "The size of the newest snapshot.";
    SNAPSHOT_LAST_SUCCESS: Gauge "throughline_snapshot_last_success_timestamp_seconds" "When the newest snapshot was taken, in Unix time.";
    SNAPSHOT_DURATION: Histogram "throughline_snapshot_duration_seconds" "The parts of taking a snapshot: of each range the checkpoint, which keeps it from its work, and the upload; the manifest; the total.";
    UPKEEP_FAILURES: Counter "throughline_snapshot_failures_total" "Snapshots that could not be taken, and trims that could not be done.";
    JOURNAL_TRIMMED: Counter "throughline_journal_slots_trimmed_total" "Slots of journals that no snapshot needs any more and that have gone.";
    MEMORY_USED: Gauge "throughline_memory_used_bytes" "Resident memory of the process.";
    MEMORY_LIMIT: Gauge "throughline_memory_limit_bytes" "The memory that the configuration gives to the node.";
    DISK_USED: Gauge "throughline_disk_used_bytes" "Local disk that the ranges' state takes.";
    HELD: Gauge "throughline_held_bytes" "Memory of open transactions (mailboxes), and of what has to stay there (index).";
    HELD_LIMIT: Gauge "throughline_held_limit_bytes" "What both together should take at most; mailboxes give way.";
    PEER_SESSIONS: Gauge "throughline_peer_sessions" "Control sessions with other nodes, in either direction.";
    PEER_REFUSED: Counter "throughline_peer_refused_total" "Connections with other nodes that came to nothing, by reason.";
    PEER_DROPPED: Counter "throughline_peer_messages_dropped_total" "Control messages between nodes that were dropped, by reason.";
    GRPC_REQUESTS: Counter "throughline_grpc_requests_total" "Calls answered by the API.";
    GRPC_DURATION: Histogram "throughline_grpc_request_duration_seconds" "From a call's request to its answer, whatever the outcome.";
}
