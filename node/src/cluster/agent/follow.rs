//! The control log, read on beside everything else that the agent does.

use std::sync::Arc;

use coordinator::control_log::{ControlError, ControlLog};
use coordinator::machine::table::Table;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::log::Log;
use proto::types::Slot;
use tracing::warn;

use super::UNHEARD_MS;

type Reading = BoxFuture<'static, Result<ControlLog, ControlError>>;

/// What has been read of the control log, and is being read.
pub(super) struct Follow {
    log: Arc<dyn Log>,
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

impl Follow {
    pub(super) fn new(log: Arc<dyn Log>) -> Self {
        let (table, read, wanted) = Default::default();
        Self { log, control: None, reading: None, table, read, wanted, looked_ms: None }
    }

    pub(super) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    pub(super) const fn read(&self) -> Slot {
        self.read
    }

    /// There are slots up to this one.
    pub(super) fn wants(&mut self, slot: Slot) {
        self.wanted = self.wanted.max(slot);
        if self.read < self.wanted {
            self.start();
        }
    }

    /// Reads on where more is known to be there; or nobody who leads `is_unheard`, not too often.
    pub(super) fn beat(&mut self, is_unheard: bool, now_ms: u64) {
        let looked_ms = self.looked_ms;
        let is_due = looked_ms.is_none_or(|at| now_ms >= at.saturating_add(UNHEARD_MS));
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

    /// Waits until something was read, and says whether it was more than was known.
    pub(super) async fn next(&mut self) -> bool {
        let Some(reading) = &mut self.reading else { return futures::future::pending().await };
        let done = reading.await;
        self.reading = None;
        match done {
            Ok(control) => {
                let is_further = control.read() > self.read;
                if is_further {
                    (self.read, self.table) = (control.read(), Arc::new(control.table().clone()));
                }
                self.control = Some(control);
                if is_further && self.read < self.wanted {
                    self.start();
                }
                is_further
            }
            Err(error) => {
                let why = anyhow::Error::from(error);
                warn!(error = format!("{why:#}"), "cannot read the control log, trying again");
                false
            }
        }
    }
}
