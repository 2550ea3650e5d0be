//! The names of all metrics. Dashboards and alerts depend on them: they never change their meaning.

/// What Prometheus does with a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
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
    LEDGER_IMBALANCE: Gauge "throughline_ledger_imbalance_records" "Records lost (above 0) or counted twice (below 0) in a topic's worst partition.";
    RANGES: Gauge "throughline_ranges" "Ranges by state.";
    SNAPSHOT_BYTES: Gauge "throughline_snapshot_bytes" "The size of the newest snapshot.";
    SNAPSHOT_LAST_SUCCESS: Gauge "throughline_snapshot_last_success_timestamp_seconds" "When the newest snapshot was taken, in Unix time.";
    SNAPSHOT_DURATION: Gauge "throughline_snapshot_duration_seconds" "How long the newest snapshot took, and how long it kept one range from its work at most.";
    UPKEEP_FAILURES: Counter "throughline_snapshot_failures_total" "Snapshots that could not be taken, and trims that could not be done.";
    JOURNAL_TRIMMED: Counter "throughline_journal_slots_trimmed_total" "Slots of journals that no snapshot needs any more and that have gone.";
    MEMORY_USED: Gauge "throughline_memory_used_bytes" "Resident memory of the process.";
    MEMORY_LIMIT: Gauge "throughline_memory_limit_bytes" "The memory that the configuration gives to the node.";
    DISK_USED: Gauge "throughline_disk_used_bytes" "Local disk that the ranges' state takes.";
    HELD: Gauge "throughline_held_bytes" "Memory of open transactions (mailboxes), and of what has to stay there (index).";
    HELD_LIMIT: Gauge "throughline_held_limit_bytes" "What both together should take at most; mailboxes give way.";
    GRPC_REQUESTS: Counter "throughline_grpc_requests_total" "Calls answered by the API.";
}
