//! Conditions on a transaction's fields.
//!
//! A test on a field that is absent or null does not hold, whatever it tests, except that it is
//! missing. So `not: { equals: X }` holds for a transaction that has no such field.

use std::cmp::Ordering;

use super::super::fields::{Bodies, Field};
use super::{Number, text};

/// What must hold for a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// Every one of these; with none of them: always.
    All(Vec<Self>),
    /// At least one of these; with none of them: never.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// This test, on the field's value.
    Field(Field, Test),
}

/// What must hold for a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Test {
    /// It is there, and not null.
    Exists,
    /// It is absent or null.
    Missing,
    /// It is this.
    Equals(Value),
    /// It is one of these.
    OneOf(OneOf),
    /// Its text begins so.
    Prefix(String),
    /// It is a number above this.
    Above(Number),
    /// It is a number below this.
    Below(Number),
}

/// What a field's value is compared with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// The text of a JSON string, or a number or truth value as it is spelled.
    Text(String),
    /// A JSON number of the same value, however it is spelled: 200 is 200.0 and 2e2. A string is not.
    Number(Number),
    /// `true` or `false`. A string is not.
    Truth(bool),
}

/// A set of values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OneOf {
    /// In their order, so that a long list is searched, not read through.
    texts: Vec<String>,
    others: Vec<Value>,
}

impl OneOf {
    /// The set of these values.
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        let mut set = Self::default();
        for value in values {
            match value {
                Value::Text(text) => set.texts.push(text),
                other @ (Value::Number(_) | Value::Truth(_)) => set.others.push(other),
            }
        }
        set.texts.sort_unstable();
        set.texts.dedup();
        set
    }

    fn has(&self, json: &[u8]) -> bool {
        self.has_text(json) || self.others.iter().any(|value| value.is(json))
    }

    fn has_text(&self, json: &[u8]) -> bool {
        if self.texts.is_empty() {
            return false;
        }
        let Some(text) = text::of_scalar(json) else { return false };
        self.texts.binary_search_by(|it| it.as_str().cmp(&text)).is_ok()
    }
}

impl Condition {
    /// What always holds.
    pub const ALWAYS: Self = Self::All(Vec::new());

    /// Whether it holds for the transaction.
    #[must_use]
    pub fn holds(&self, bodies: &Bodies<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|it| it.holds(bodies)),
            Self::Any(conditions) => conditions.iter().any(|it| it.holds(bodies)),
            Self::Not(condition) => !condition.holds(bodies),
            Self::Field(field, test) => test.holds(bodies.get(*field)),
        }
    }
}

impl Test {
    fn holds(&self, json: Option<&[u8]>) -> bool {
        let Some(json) = json.filter(|json| *json != b"null") else {
            return *self == Self::Missing;
        };
        match self {
            Self::Exists => true,
            Self::Missing => false,
            Self::Equals(value) => value.is(json),
            Self::OneOf(values) => values.has(json),
            Self::Prefix(prefix) => text::begins_with(json, prefix),
            Self::Above(bound) => bound.compare_with(json) == Some(Ordering::Less),
            Self::Below(bound) => bound.compare_with(json) == Some(Ordering::Greater),
        }
    }
}

impl Value {
    fn is(&self, json: &[u8]) -> bool {
        match self {
            Self::Text(expected) => text::is(json, expected),
            Self::Number(expected) => expected.compare_with(json) == Some(Ordering::Equal),
            Self::Truth(expected) => json == if *expected { &b"true"[..] } else { b"false" },
        }
    }
}

#[cfg(test)]
mod tests;
