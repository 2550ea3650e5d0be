//! How a command fails: with a problem to tell, or because nobody reads its output any more.

use std::io;

use crate::api::problem_of;
use crate::problem::{Code, Problem};

/// Why a command did not finish.
#[derive(Debug)]
pub enum Failure {
    /// Something that the person must hear of.
    Told(Problem),
    /// The output could not be written.
    Output(io::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::Told(problem_of(&status))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Problem>() {
            Ok(problem) => Self::Told(problem),
            Err(error) => {
                Self::Told(Problem::new(Code::Bug, "the command failed", format!("{error:#}")))
            }
        }
    }
}
