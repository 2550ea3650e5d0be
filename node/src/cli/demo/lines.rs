//! The demo without a terminal: one line each second.

use proto::api::v1;
use tokio::time;

use super::super::failure::Failure;
use super::super::{Io, format, run};
use super::cast::Cast;
use super::poll::Reading;
use super::view::{View, clock, transactions};
use super::{Arguments, REFRESH, poll};
use crate::api::backend::Backend;

/// Writes a line each second until it is asked to stop, or its time is over.
pub(super) async fn show(
    mut view: View,
    (backend, mut cast): (&dyn Backend, Cast),
    arguments: &Arguments,
    io: &mut Io,
) -> Result<View, Failure> {
    let mut ticks = time::interval(REFRESH);
    let begun = ticks.tick().await;
    let mut asked = Box::pin(run::interrupted());
    loop {
        let now = tokio::select! {
            now = ticks.tick() => now,
            asked = &mut asked => return asked.map(|()| view).map_err(Failure::from),
        };
        let elapsed = now.duration_since(begun);
        match poll::read(backend).await {
            Ok(reading) => view.take(elapsed, reading),
            Err(problem) => view.miss(problem.to_string()),
        }
        view.down = cast.down();
        io.line(&line(&view))?;
        if let Some(node) = cast.kill_when_due(elapsed) {
            let clock = clock(elapsed);
            io.line(&format!("{clock}  {node} is killed without warning, and will come back"))?;
        }
        io.out.flush()?;
        if arguments.seconds.is_some_and(|seconds| elapsed.as_secs() >= seconds.get()) {
            return Ok(view);
        }
    }
}

/// The newest figures in one line.
pub(super) fn line(view: &View) -> String {
    let clock = clock(view.elapsed);
    let Some(reading) = view.reading.as_ref().filter(|_| view.trouble.is_none()) else {
        return format!("{clock}  no answer: {}", view.trouble.as_deref().unwrap_or("starting"));
    };
    let (pulse, total) = (&reading.pulse, reading.ledger.total());
    let mut line = format!(
        "{clock}  {} tx  joined {}  open {}",
        format::thousands(transactions(pulse)),
        format::thousands(pulse.complete),
        format::thousands(pulse.open),
    );
    if pulse.incomplete > 0 {
        line.push_str(&format!("  incomplete {}", format::thousands(pulse.incomplete)));
    }
    if pulse.corrected > 0 {
        line.push_str(&format!("  corrected {}", format::thousands(pulse.corrected)));
    }
    let doubled = format::thousands(total.duplicates + total.conflicts);
    let lost = match total.imbalance() {
        0 if !reading.ledger.is_balanced() => "?".to_owned(),
        imbalance => format::thousands(imbalance),
    };
    let megabytes = view.bytes_per_second / 100_000;
    let (whole, tenth) = (megabytes / 10, megabytes % 10);
    line.push_str(&format!("  doubled, dropped {doubled}  lost {lost}   {whole}.{tenth} MB/s"));
    if reading.overview.nodes.len() > 1 {
        line.push_str(&format!("   {}", nodes(view, reading)));
    }
    line
}

/// The nodes in the order of their names, each with the number of its ranges, or with why it has none.
fn nodes(view: &View, reading: &Reading) -> String {
    let one = |node: &v1::Node| {
        let name = format::short(&node.name);
        if view.down.iter().any(|down| down.node.as_str() == name) {
            return format!("{name} killed");
        }
        let leads = if reading.leads(node) { " leads" } else { "" };
        match node.state.as_str() {
            "alive" => format!("{name} {}{leads}", node.ranges),
            state => format!("{name} {} {state}{leads}", node.ranges),
        }
    };
    reading.overview.nodes.iter().map(one).collect::<Vec<_>>().join(", ")
}
