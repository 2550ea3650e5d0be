//! Stands where engine, configuration and workload are joined to the command line.

use std::path::Path;

use futures::future::{BoxFuture, ready};

use super::{
    DemoArguments, GenerateArguments, Io, Parts, RestoreArguments, Restored, RunArguments, Running,
    VerifyArguments,
};
use crate::problem::{Code, Exit, Problem};

/// Parts of which none is there: every command that needs one says so.
#[derive(Clone, Copy, Debug)]
pub struct NotBuilt;

fn absent<T>(what: &str) -> anyhow::Result<T> {
    let what = format!("cannot {what}");
    Err(Problem::new(Code::NotOffered, what, "this build does not contain it").into())
}

impl Parts for NotBuilt {
    fn run<'a>(&'a self, _: &'a RunArguments) -> BoxFuture<'a, anyhow::Result<Running>> {
        Box::pin(ready(absent("start a node")))
    }

    fn demo<'a>(&'a self, _: &'a DemoArguments) -> BoxFuture<'a, anyhow::Result<Running>> {
        Box::pin(ready(absent("run the demo")))
    }

    fn validate_config(&self, _: &Path) -> anyhow::Result<String> {
        absent("check a configuration")
    }

    fn show_config(&self, _: &Path) -> anyhow::Result<String> {
        absent("show a configuration")
    }

    fn restore<'a>(&'a self, _: &'a RestoreArguments) -> BoxFuture<'a, anyhow::Result<Restored>> {
        Box::pin(ready(absent("restore a snapshot")))
    }

    fn generate<'a>(
        &'a self,
        _: &'a GenerateArguments,
        _: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>> {
        Box::pin(ready(absent("generate traffic")))
    }

    fn verify<'a>(
        &'a self,
        _: &'a VerifyArguments,
        _: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>> {
        Box::pin(ready(absent("check results")))
    }
}
