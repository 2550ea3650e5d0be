//! What the stores of one process share: memory limits and background threads.

use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, Env, InfoLogger, LogLevel, Options,
    WriteBufferManager,
};

use super::{Background, StoreError};

/// A file with so many deletes near each other is worth a compaction of its own.
const DELETES: usize = 100_000;

/// How much the stores of one process take together, however many ranges there are.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows not yet on disk.
    pub write_buffers_bytes: usize,
    /// How many stores share that. More may be open: then they flush earlier.
    pub stores: u16,
    /// Blocks read from disk.
    pub cache_bytes: usize,
    /// Background threads that compact; one more flushes.
    pub compactions: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { write_buffers_bytes: 64 << 20, stores: 16, cache_bytes: 32 << 20, compactions: 1 }
    }
}

/// Memory and threads that all stores of a process share.
#[derive(Clone)]
pub struct RocksShared {
    limits: Limits,
    env: Env,
    cache: Cache,
    write_buffers: WriteBufferManager,
}

impl RocksShared {
    /// Shares `limits` among all stores that are opened with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] where `RocksDB` cannot start.
    pub fn new(limits: Limits) -> Result<Self, StoreError> {
        let env = Env::new().map_err(|error| super::failed("start RocksDB".to_owned(), &error))?;
        let cache = Cache::new_lru_cache(limits.cache_bytes);
        // Without stalls: none waits for another's flush, which an idle store would never begin.
        let write_buffers =
            WriteBufferManager::new_write_buffer_manager(limits.write_buffers_bytes, false);
        Ok(Self { limits, env, cache, write_buffers })
    }

    /// Bytes of rows that are not yet on disk.
    #[must_use]
    pub fn write_buffer_bytes(&self) -> usize {
        self.write_buffers.get_usage()
    }

    /// Rows are put once and mostly deleted soon; tombstones go by whole ranges; the head is overwritten
    /// by each commit. Levels rather than universal compaction: files stay small and, where keys rise
    /// with time, unchanged, so that a snapshot uploads little and never needs a store's size twice.
    pub(super) fn options(&self, background: &Arc<Background>) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_paranoid_checks(true);
        options.set_env(&self.env);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_block_based_table_factory(&self.blocks());
        self.bound_memory(&mut options);
        shape_levels(&mut options);
        one_writer(&mut options);
        report_to(background, &mut options);
        // One job of a store flushes, the others compact; the threads are the process's, not the store's.
        options.set_max_background_jobs(i32::from(self.limits.compactions) + 1);
        options
    }

    fn blocks(&self) -> BlockBasedOptions {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.cache);
        blocks.set_block_size(16 << 10);
        // Indexes and filters count against the cache's limit too, else they would have none (I13).
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks.set_bloom_filter(10.0, false);
        blocks
    }

    fn bound_memory(&self, options: &mut Options) {
        // One buffer is filled while the other is flushed. So the limit holds by itself; the manager only
        // steps in for stores beyond `stores`. It could not do it alone: it flushes the store that writes,
        // be its buffer ever so small, while idle ones sit on their rows.
        let buffers = 2 * usize::from(self.limits.stores.max(1));
        options.set_write_buffer_size((self.limits.write_buffers_bytes / buffers).max(64 << 10));
        options.set_max_write_buffer_number(2);
        options.set_write_buffer_manager(&self.write_buffers);
    }
}

impl std::fmt::Debug for RocksShared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksShared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn shape_levels(options: &mut Options) {
    options.set_target_file_size_base(16 << 20);
    options.set_max_bytes_for_level_base(64 << 20);
    // Writes are stopped or not, never slowed down: see `stall`.
    options.set_level_zero_slowdown_writes_trigger(36);
    options.set_level_zero_stop_writes_trigger(36);
    options.set_soft_pending_compaction_bytes_limit(0);
    // Files of long stretches of deletes are compacted at once: a scan at start-up need not step over them. What comes
    // fresh from memory is no such file: with each of these the whole first level would be written again.
    options.add_compact_on_deletion_collector_factory(DELETES * 5 / 4, DELETES, 0.0);
}

/// One actor writes, without a log: what serves many writers only costs.
fn one_writer(options: &mut Options) {
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);
    options.set_max_total_wal_size(0);
}

/// No log file and no statistics in the folder; errors of background work go where ours go.
fn report_to(background: &Arc<Background>, options: &mut Options) {
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    let background = background.clone();
    options.set_info_logger(InfoLogger::new_callback_logger(
        LogLevel::Error,
        move |level, said| {
            // The greeting of each opening comes at a level above the gravest error.
            if matches!(level, LogLevel::Error | LogLevel::Fatal) {
                let said = said.trim_end();
                background.say(said);
                tracing::error!(said, "rocksdb failed in the background");
            }
        },
    ));
}
