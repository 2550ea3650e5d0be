//! Lines of JSON in files: records as the file source takes them, and rows as the file sink leaves them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::Value;

use super::base64;

/// A record of a source file.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    timestamp: u64,
    key: Option<&'a str>,
    /// `Some(None)`: the record has no value. `None`: it is in the other field.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Option<&'a str>>,
    #[serde(rename = "valueBase64", skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl<'a> Line<'a> {
    /// The line for a record; bytes that are no text stand in it as Base64.
    #[must_use]
    pub fn new(timestamp: u64, key: Option<&'a str>, bytes: Option<&'a [u8]>) -> Self {
        let (value, value_base64) = match bytes.map(std::str::from_utf8) {
            None => (Some(None), None),
            Some(Ok(text)) => (Some(Some(text)), None),
            Some(Err(_)) => (None, bytes.map(base64::encode)),
        };
        Self { timestamp, key, value, value_base64 }
    }
}

/// A row of a result file.
#[derive(Debug)]
pub struct Row {
    /// Its value's bytes; `None` where it has none.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

impl Row {
    /// Reads the row on a line. The value may stand there as JSON, as a text or as Base64.
    ///
    /// # Errors
    ///
    /// Where the line is no such row.
    pub fn parse(line: &[u8]) -> anyhow::Result<Self> {
        let Value::Object(mut fields) = serde_json::from_slice(line)? else {
            bail!("the line is no JSON object")
        };
        let value = match (fields.remove("valueBase64"), fields.remove("value")) {
            (Some(Value::String(text)), None) => {
                Some(base64::decode(&text).context("decode `valueBase64`")?)
            }
            (Some(_), _) => bail!("`valueBase64` must be a text, and stand there without `value`"),
            (None, None | Some(Value::Null)) => None,
            (None, Some(Value::String(text))) => Some(text.into_bytes()),
            (None, Some(json)) => Some(serde_json::to_vec(&json)?),
        };
        let headers = match fields.remove("headers") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(headers)) => headers.into_iter().map(as_text).collect(),
            Some(_) => bail!("`headers` must be a JSON object"),
        };
        Ok(Self { value, headers })
    }
}

fn as_text((name, value): (String, Value)) -> (String, String) {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    (name, text)
}

/// Hands over each line of a file, without its end.
///
/// # Errors
///
/// Where the file can't be read.
pub fn each_line(path: &Path, mut take: impl FnMut(&[u8])) -> anyhow::Result<()> {
    let doing = || format!("read {}", path.display());
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).with_context(doing)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).with_context(doing)? > 0 {
        let text = line.trim_ascii();
        if !text.is_empty() {
            take(text);
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_its_bytes_are() {
        let line = |key, bytes| serde_json::to_string(&Line::new(5, key, bytes)).unwrap();
        let cases = [
            (line(None, Some(b"a\n\"b\"")), r#"{"timestamp":5,"key":null,"value":"a\n\"b\""}"#),
            (line(Some("k"), None), r#"{"timestamp":5,"key":"k","value":null}"#),
            (line(None, Some(&[0xff])), r#"{"timestamp":5,"key":null,"valueBase64":"/w=="}"#),
        ];
        for (line, expected) in cases {
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn a_row_gives_back_its_bytes_however_they_were_written() {
        let cases: [(&str, Option<&[u8]>); 5] = [
            (r#"{"key":"k","value":{"a":1}}"#, Some(br#"{"a":1}"#)),
            (r#"{"key":"k","value":"{\"a\":1}"}"#, Some(br#"{"a":1}"#)),
            (r#"{"key":"k","valueBase64":"/w=="}"#, Some(&[0xff])),
            (r#"{"key":"k","value":null}"#, None),
            (r#"{"key":"k"}"#, None),
        ];
        for (line, bytes) in cases {
            assert_eq!(Row::parse(line.as_bytes()).unwrap().value.as_deref(), bytes, "{line}");
        }
        let row = Row::parse(br#"{"headers":{"range":3,"topic":"a"}}"#).unwrap();
        let headers = [("range", "3"), ("topic", "a")];
        assert_eq!(row.headers, headers.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for line in ["", "1", "{", r#"{"valueBase64":"?"}"#, r#"{"headers":1}"#] {
            assert!(Row::parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}
