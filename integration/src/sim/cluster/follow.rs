//! The control log as a node reads it on. Imitates `node::cluster::agent::follow`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use coordinator::control_log::{ControlError, ControlLog};
use coordinator::machine::table::Table;
use proto::log::Log;
use proto::types::Slot;

/// How long who leads counts as known without a beat; then the log is read without one, as often.
pub(super) const UNHEARD_MS: u64 = 150;

type Reading = Pin<Box<dyn Future<Output = Result<ControlLog, ControlError>> + Send>>;

/// What has been read of the control log, and is being read.
pub(super) struct Follow {
    log: Arc<dyn Log>,
    control: Option<ControlLog>,
    reading: Option<Reading>,
    table: Arc<Table>,
    read: Slot,
    wanted: Slot,
    looked_ms: Option<u64>,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Follow {
    pub(super) fn new(log: Arc<dyn Log>) -> Self {
        let (table, read, wanted) = Default::default();
        Self { log, control: None, reading: None, table, read, wanted, looked_ms: None }
    }

    pub(super) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
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
        self.reading = Some(Box::pin(async move {
            let Some(mut control) = control else { return ControlLog::open(log).await };
            control.catch_up().await?;
            Ok(control)
        }));
    }

    /// Goes on reading; whether more was read than was known.
    ///
    /// # Errors
    ///
    /// Where the log is none that a node could follow: then nothing helps any more.
    pub(super) fn go_on(&mut self) -> anyhow::Result<bool> {
        let Some(reading) = &mut self.reading else { return Ok(false) };
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(done) = reading.as_mut().poll(&mut context) else { return Ok(false) };
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
                Ok(is_further)
            }
            Err(ControlError::Store(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
