//! What nodes ask each other about the cluster, and what they answer, as bytes.
//!
//! Both begin with the number of the format: what begins otherwise is not understood, and answered
//! with nothing (I14).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::wire::{RawAsOf, RawPart, RawProblem, RawTransaction, RawWord};
use crate::api::backend::{Answer, Transaction};
use crate::assembly::backend::Word;
use crate::assembly::upkeep::requests::Part;
use crate::problem::Problem;

/// Format 1: JSON. Fields may be added, none may come to mean something else.
const FORMAT: &[u8] = b"TLQ1";

/// What one node wants to know of another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Question {
    /// How it stands.
    Word,
    /// What it knows of the transaction with that id.
    Find(String),
    /// Its snapshot for that request.
    Part(String),
}

/// What it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// How it stands.
    Word(Box<Word>),
    /// What it knows of the transaction; `None` where that one's range is not there.
    Found(Option<Box<Answer<Transaction>>>),
    /// What came of its snapshot; `None` as long as it is being taken.
    Part(Option<Box<Result<Part, Problem>>>),
}

#[derive(Deserialize, Serialize)]
enum RawSaid {
    Word(Box<RawWord>),
    Found(Option<Box<(RawTransaction, RawAsOf)>>),
    Part(Option<Result<RawPart, RawProblem>>),
}

impl Question {
    pub(super) fn encode(&self) -> Bytes {
        encode(self)
    }

    /// The question; `None` where it is of another format.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        decode(bytes)
    }
}

impl Said {
    pub(super) fn encode(&self) -> Bytes {
        encode(&match self {
            Self::Word(word) => RawSaid::Word(Box::new(RawWord::of(word))),
            Self::Found(found) => RawSaid::Found(found.as_ref().map(|answer| {
                Box::new((RawTransaction::of(&answer.value), RawAsOf::of(&answer.as_of)))
            })),
            Self::Part(part) => {
                RawSaid::Part(part.as_ref().map(|outcome| {
                    outcome.as_ref().as_ref().map(RawPart::of).map_err(RawProblem::of)
                }))
            }
        })
    }

    /// The answer; `None` where it is none, or of another format.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(match decode(bytes)? {
            RawSaid::Word(word) => Self::Word(Box::new(word.checked()?)),
            RawSaid::Found(None) => Self::Found(None),
            RawSaid::Found(Some(found)) => {
                let (transaction, as_of) = *found;
                let answer = Answer { value: transaction.checked()?, as_of: as_of.checked() };
                Self::Found(Some(Box::new(answer)))
            }
            RawSaid::Part(part) => Self::Part(part.map(|outcome| {
                Box::new(outcome.map(RawPart::checked).map_err(RawProblem::checked))
            })),
        })
    }
}

fn encode(value: &impl Serialize) -> Bytes {
    let mut bytes = FORMAT.to_vec();
    match serde_json::to_writer(&mut bytes, value) {
        Ok(()) => bytes.into(),
        Err(error) => {
            // As if nothing had been said: whoever asked does without.
            tracing::error!(%error, "cannot write what another node is to read");
            Bytes::new()
        }
    }
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes.strip_prefix(FORMAT)?).ok()
}

#[cfg(test)]
mod tests;
