//! A column of the joined result, and the fields that it is taken from.

use super::fields::{Bodies, Field};

/// A column of the joined result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResultField {
    /// The column's name in the result.
    pub name: String,
    /// Where its value is looked for: the first that is there and not empty wins.
    pub from: Vec<Field>,
}

impl ResultField {
    /// The column's JSON text. `None` where every field is absent, `null` or `""`: the column is null.
    #[must_use]
    pub fn value<'a>(&self, bodies: &Bodies<'a>) -> Option<&'a [u8]> {
        let is_there = |json: &&[u8]| !matches!(*json, b"null" | b"\"\"");
        self.from.iter().find_map(|&field| bodies.get(field).filter(is_there))
    }
}

#[cfg(test)]
mod tests {
    use proto::types::Leg;

    use super::super::fields::{FieldTable, put_field, put_id};
    use super::*;

    fn check(request: Option<&str>, response: Option<&str>, expected: Option<&str>) {
        let mut table = FieldTable::default();
        let from = vec![table.intern(Leg::Request, "/key"), table.intern(Leg::Response, "/key")];
        let column = ResultField { name: "businessKey".to_owned(), from };
        let body = |json: Option<&str>| {
            let mut body = Vec::new();
            put_id(&mut body, b"t");
            put_field(&mut body, json.map(str::as_bytes));
            body
        };
        let (request, response) = (body(request), body(response));
        let mut bodies = Bodies::none();
        bodies.set(Leg::Request, &request);
        bodies.set(Leg::Response, &response);
        assert_eq!(column.value(&bodies), expected.map(str::as_bytes));
    }

    #[test]
    fn the_first_that_is_not_empty_wins() {
        check(Some(r#""A""#), Some(r#""B""#), Some(r#""A""#));
        check(None, Some(r#""B""#), Some(r#""B""#));
        check(Some("null"), Some(r#""B""#), Some(r#""B""#));
        check(Some(r#""""#), Some("0"), Some("0"));
    }

    #[test]
    fn a_column_without_any_value_is_null() {
        check(None, None, None);
        check(Some("null"), Some(r#""""#), None);
    }
}
