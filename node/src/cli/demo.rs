//! `throughline demo`: a bank in this process, with a live view of what becomes of its messages.

mod cast;
mod lines;
mod live;
mod poll;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use tokio_util::task::TaskTracker;

use self::cast::Cast;
use self::view::View;
use super::failure::Failure;
use super::io::Screen;
use super::{Demo, Io, Parts, values};
use crate::endpoints::{self, Open};
use crate::problem::Exit;

/// How often the picture is taken.
const REFRESH: Duration = Duration::from_secs(1);

/// How the demo tells what it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Shown {
    /// A picture that fills the terminal.
    Live,
    /// One line a second.
    Lines,
}

/// What the demo is to be like.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline demo
  throughline demo --rate 20000 --seed 11
  throughline demo --nodes 3
  throughline demo --nodes 3 --view lines --kill-every 20 --for 60
  throughline demo --view lines --for 60 > demo.log

While it runs, ask it from a second terminal: throughline status
Of several nodes the keys 1, 2 … kill one: watch the others take its ranges over.")]
pub struct Arguments {
    /// Transactions a second.
    #[arg(long, value_name = "COUNT", default_value = "2000", value_parser = values::count::<NonZeroU32>)]
    pub rate: NonZeroU32,
    /// The same seed is the same traffic.
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    pub seed: u64,
    /// Give a transaction up as incomplete after so long; 1 h in production.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = values::count::<NonZeroU64>)]
    pub lateness: NonZeroU64,
    /// How many nodes share the work, 1 to 5; any of them may be killed.
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = values::nodes)]
    pub nodes: u8,
    /// Kill a node without warning each time so long has passed, one after the other; each comes back.
    #[arg(long, value_name = "SECONDS", value_parser = values::count::<NonZeroU64>)]
    pub kill_every: Option<NonZeroU64>,
    /// How many ranges share the keys.
    #[arg(long, value_name = "COUNT", default_value = "16", value_parser = values::count::<NonZeroU16>)]
    pub ranges: NonZeroU16,
    /// Where it writes; emptied first.
    #[arg(long, value_name = "FOLDER", default_value = ".throughline-demo")]
    pub folder: PathBuf,
    /// Leave the folder when it ends.
    #[arg(long)]
    pub keep: bool,
    /// A live view, or one line a second; lines always where the output is no terminal.
    #[arg(long, value_enum, default_value_t = Shown::Live)]
    pub view: Shown,
    /// End after so long, without being asked.
    #[arg(long = "for", value_name = "SECONDS", value_parser = values::count::<NonZeroU64>)]
    pub seconds: Option<NonZeroU64>,
    /// Where the API listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400", value_parser = values::address)]
    pub api: SocketAddr,
    /// Where the metrics listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7402", value_parser = values::address)]
    pub metrics: SocketAddr,
}

pub(super) async fn run(
    arguments: Arguments,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let Demo { running, nodes } = parts.demo(&arguments).await?;
    let tasks = TaskTracker::new();
    let open = match endpoints::open(&running, &tasks).await {
        Ok(open) => open,
        Err(problem) => return running.give_up(problem).await,
    };
    let view = View::new(open.api, open.metrics);
    let cast = Cast::new(nodes, &arguments);
    let live = io.screen != Screen::None && arguments.view == Shown::Live;
    let shown = if live {
        live::show(view, (&*running.backend, cast), &arguments, io.screen).await
    } else {
        introduce(&running.started, open, &arguments, io)?;
        lines::show(view, (&*running.backend, cast), &arguments, io).await
    };
    running.stop.cancel();
    let stopped = running.stopped.await;
    tasks.close();
    tasks.wait().await;
    let last = shown?;
    stopped?;
    io.line(&last.farewell())?;
    Ok(Exit::Done)
}

fn introduce(
    started: &[String],
    open: Open,
    arguments: &Arguments,
    io: &mut Io,
) -> Result<(), Failure> {
    for line in started {
        io.remark(&format!("  ✓ {line}"))?;
    }
    let Arguments { rate, seed, lateness, .. } = arguments;
    io.remark(&format!(
        "  ✓ traffic: {rate} transactions/s, seed {seed}; incomplete after {lateness} s (1 h in \
         production)\n\n  \
         gRPC        {}   (reflection on)\n  \
         Metrics     http://{}/metrics\n  \
         Try         throughline status\n\n  \
         Ctrl-C stops.\n",
        open.api, open.metrics
    ))?;
    Ok(())
}
