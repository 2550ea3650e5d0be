//! The control log, read on beside everything else that a node does.

use std::fmt;
use std::sync::Arc;

use coordinator::control_log::{ControlError, ControlLog};
use coordinator::machine::table::Table;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::log::Log;
use proto::types::Slot;

type Reading = BoxFuture<'static, Result<ControlLog, ControlError>>;

/// What has been read of the control log, and is being read.
pub struct Follow {
    log: Arc<dyn Log>,
    /// How often it is read while nobody is heard to lead.
    unheard_ms: u64,
    /// `None` while it is being read, or has to be opened anew.
    control: Option<ControlLog>,
    reading: Option<Reading>,
    table: Arc<Table>,
    read: Slot,
    /// How far it goes at least, as who leads has said.
    wanted: Slot,
    /// When it was read last without having been told of more.
    looked_ms: Option<u64>,
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Follow {
    /// Nothing was read yet. While nobody is heard to lead it is read every `unheard_ms`.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, unheard_ms: u64) -> Self {
        let (table, read, wanted) = Default::default();
        Self { log, unheard_ms, control: None, reading: None, table, read, wanted, looked_ms: None }
    }

    /// What it says, as far as it was read.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    /// The last slot that was read.
    #[must_use]
    pub const fn read(&self) -> Slot {
        self.read
    }

    /// There are slots up to this one.
    pub fn wants(&mut self, slot: Slot) {
        self.wanted = self.wanted.max(slot);
        if self.read < self.wanted {
            self.start();
        }
    }

    /// Reads on where more is known to be there; or nobody who leads `is_unheard`, not too often.
    pub fn beat(&mut self, is_unheard: bool, now_ms: u64) {
        let looked_ms = self.looked_ms;
        let is_due = looked_ms.is_none_or(|at| now_ms >= at.saturating_add(self.unheard_ms));
        if self.read < self.wanted {
            self.start();
        } else if is_unheard && is_due {
            self.looked_ms = Some(now_ms);
            self.start();
        }
    }

    fn start(&mut self) {
        if self.reading.is_some() {
            return;
        }
        let (control, log) = (self.control.take(), Arc::clone(&self.log));
        let reading = async move {
            let Some(mut control) = control else { return ControlLog::open(log).await };
            control.catch_up().await?;
            Ok(control)
        };
        self.reading = Some(reading.boxed());
    }

    /// Waits until something was read, and says whether it was more than was known. May be given up and called again.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read, or followed; it is tried again when the next one is due.
    pub async fn next(&mut self) -> Result<bool, ControlError> {
        let Some(reading) = &mut self.reading else { return futures::future::pending().await };
        let done = reading.await;
        self.reading = None;
        let control = done?;
        let is_further = control.read() > self.read;
        if is_further {
            (self.read, self.table) = (control.read(), Arc::new(control.table().clone()));
        }
        self.control = Some(control);
        if is_further && self.read < self.wanted {
            self.start();
        }
        Ok(is_further)
    }
}
