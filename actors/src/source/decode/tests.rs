//! What is decoded, what is refused, and that both agree with `serde_json`.

use proptest::prelude::*;
use proto::types::{EventTime, Leg};
use serde_json::{Map, Value, json};

use super::{Class, Decoded, Decoder, Limits, Malformed};
use crate::machine::fields::{Bodies, FieldTable};

const POINTERS: [&str; 7] =
    ["/channel", "/body/amount", "/body", "/list/1/deep", "/a~1b", "/eventTime", ""];

fn decoder(pointers: &[&str]) -> Decoder {
    let pointers: Vec<_> = pointers.iter().map(|it| (*it).to_owned()).collect();
    Decoder::new(Leg::Trace, "/transactionId", "/eventTime", &pointers, Limits::default()).unwrap()
}

/// The id, and the JSON text of each of `pointers`.
type Fields = (String, Vec<Option<String>>);

fn decode(pointers: &[&str], text: &[u8]) -> Result<(Fields, Decoded), Malformed> {
    let mut body = b"kept".to_vec();
    let decoded = decoder(pointers).decode(Some(text), &mut body);
    assert_eq!(&body[..4], b"kept");
    if decoded.is_err() {
        assert_eq!(body.len(), 4, "a refused record leaves nothing behind");
    }
    let decoded = decoded?;
    let mut table = FieldTable::default();
    let mut bodies = Bodies::none();
    bodies.set(Leg::Trace, &body[4..]);
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let field = |it: &&str| bodies.get(table.intern(Leg::Trace, it)).map(string);
    let fields = pointers.iter().map(field).collect();
    Ok(((string(bodies.id()), fields), decoded))
}

fn refused(text: &[u8]) -> Class {
    decode(&["/channel"], text).expect_err(&String::from_utf8_lossy(text)).class
}

#[test]
fn a_message_gives_its_id_its_time_and_its_fields_as_it_spelled_them() {
    let text = br#" {"transactionId":"t-1","eventTime":1700000000123,"channel":"a\u0074m","n":null,
        "body" : { "amount": 12000.00, "more": [1, {"x": true}] }, "list":[0,{"deep":[ ]}],"a/b":1e3} "#;
    let pointers = ["/channel", "/body/amount", "/list/1/deep", "/a~1b", "/n", "/absent", "/n/x"];
    let ((id, fields), decoded) = decode(&pointers, text).unwrap();
    assert_eq!(id, "t-1");
    assert_eq!(decoded.event_time, EventTime(1_700_000_000_123));
    let expected = [
        Some(r#""a\u0074m""#),
        Some("12000.00"),
        Some("[ ]"),
        Some("1e3"),
        Some("null"),
        None,
        None,
    ];
    assert_eq!(fields, expected.map(|it| it.map(str::to_owned)));
}

#[test]
fn an_id_is_a_string_or_an_integer_of_1_to_255_bytes() {
    let long = "x".repeat(255);
    let good = [
        ("\"t\"", "t"),
        (r#""a\"\u00e9\ud83d\ude00""#, "a\"é😀"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("-7", "-7"),
        (&format!("\"{long}\""), &long),
    ];
    for (spelled, id) in good {
        let text = format!(r#"{{"transactionId":{spelled},"eventTime":"1700000000123"}}"#);
        assert_eq!(decode(&[], text.as_bytes()).unwrap().0.0, id);
    }
    let too_long = format!("\"{long}x\"");
    for bad in ["\"\"", "null", "true", "1.5", "1e3", "{}", "[\"t\"]", &too_long] {
        let text = format!(r#"{{"transactionId":{bad},"eventTime":1}}"#);
        assert_eq!(refused(text.as_bytes()), Class::BadId, "{bad}");
    }
    assert_eq!(refused(br#"{"eventTime":1}"#), Class::NoId);
    assert_eq!(refused(br#"["transactionId"]"#), Class::NoId);
}

#[test]
fn a_time_is_an_integer_of_milliseconds_from_1970_until_2199() {
    for (spelled, ms) in [("0", 0), ("7258118399999", 7_258_118_399_999), ("\"12\"", 12)] {
        let text = format!(r#"{{"transactionId":"t","eventTime":{spelled}}}"#);
        assert_eq!(decode(&[], text.as_bytes()).unwrap().1.event_time, EventTime(ms));
    }
    let bad = [
        "-1",
        "7258118400000",
        "1e3",
        "12.0",
        "\"\"",
        "\" 1\"",
        "\"+1\"",
        "null",
        "{}",
        "99999999999999999999",
    ];
    for bad in bad {
        let text = format!(r#"{{"transactionId":"t","eventTime":{bad}}}"#);
        assert_eq!(refused(text.as_bytes()), Class::BadTime, "{bad}");
    }
    assert_eq!(refused(br#"{"transactionId":"t"}"#), Class::NoTime);
}

#[test]
fn anything_that_is_not_json_is_refused_also_behind_the_wanted_fields() {
    let behind = [
        "",
        "}}",
        "} x",
        ",",
        ",}",
        ",\"a\"}",
        ",\"a\":}",
        ",\"a\":01}",
        ",\"a\":1.}",
        ",\"a\":-}",
        ",\"a\":1e}",
        ",\"a\":tru}",
        ",\"a\":nulls}",
        ",\"a\":\"\u{1}\"}",
        ",\"a\":\"\\x\"}",
        ",\"a\":\"\\u12g4\"}",
        ",\"a\":\"\\ud800\"}",
        ",\"a\":\"\\ud800\\u0041\"}",
        ",\"a\":\"\\udc00\"}",
        ",\"a\":[1,]}",
        ",\"a\":[1 2]}",
        ",\"a\":[}",
        ",a:1}",
        ",\"a\":1e999}",
        ",\"a\":\"}",
        "}\0",
        "\u{0}}",
    ];
    for behind in behind {
        let text = format!(r#"{{"transactionId":"t","eventTime":1{behind}"#);
        assert_eq!(refused(text.as_bytes()), Class::MalformedJson, "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    }
    let invalid = b"{\"transactionId\":\"t\",\"eventTime\":1,\"a\":\"\xff\"}";
    assert_eq!(refused(invalid), Class::MalformedJson);
}

#[test]
fn the_first_of_two_members_of_one_name_counts_with_all_that_is_in_it() {
    let text = br#"{"transactionId":"t","transactionId":"u","eventTime":1,"eventTime":2,
        "body":{"x":1},"body":{"amount":2},"chann\u0065l":3,"channel":4}"#;
    let ((id, fields), decoded) = decode(&["/body/amount", "/body", "/channel"], text).unwrap();
    assert_eq!((id.as_str(), decoded.event_time), ("t", EventTime(1)));
    assert_eq!(fields, [None, Some(r#"{"x":1}"#.to_owned()), Some("3".to_owned())]);
}

#[test]
fn a_record_without_a_value_is_empty() {
    for payload in [None, Some(&b""[..])] {
        let refused = decoder(&[]).decode(payload, &mut Vec::new()).unwrap_err();
        assert_eq!(refused.class, Class::Empty);
    }
    assert_eq!(refused(b" "), Class::MalformedJson);
}

#[test]
fn what_is_over_its_limit_is_too_large() {
    let message = |size: usize| {
        let channel = "x".repeat(size - 2);
        format!(r#"{{"transactionId":"t","eventTime":1,"channel":"{channel}"}}"#)
    };
    assert!(decode(&["/channel"], message(65_535).as_bytes()).is_ok());
    assert_eq!(refused(message(65_536).as_bytes()), Class::TooLarge);
    assert!(decode(&["/other"], message(65_536).as_bytes()).is_ok());
    assert_eq!(refused(message(1 << 20).as_bytes()), Class::TooLarge);
}

#[test]
fn levels_are_limited_as_serde_json_limits_them() {
    for (levels, is_fine) in [(126, true), (127, false), (100_000, false)] {
        let text = format!(
            r#"{{"transactionId":"t","eventTime":1,"a":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        );
        assert_eq!(decode(&[], text.as_bytes()).is_ok(), is_fine, "{levels}");
        assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), is_fine, "{levels}");
    }
}

#[test]
fn a_pointer_that_is_none_is_refused() {
    let limits = Limits::default();
    assert!(Decoder::new(Leg::Trace, "id", "/t", &[], limits).is_err());
    let many: Vec<_> = (0..63).map(|i| format!("/{i}")).collect();
    assert!(Decoder::new(Leg::Trace, "/id", "/0", &many, limits).is_ok());
    assert!(Decoder::new(Leg::Trace, "/id", "/t", &many, limits).is_err());
}

#[test]
fn the_content_tells_messages_apart() {
    let content = |text: &str| decode(&[], text.as_bytes()).unwrap().1.content;
    let one = r#"{"transactionId":"t","eventTime":1}"#;
    assert_eq!(content(one), content(one));
    assert_ne!(content(one), content(r#"{"transactionId":"t","eventTime":1 }"#));
}

fn value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        4 => prop::sample::select(vec!["channel", "body", "amount", "list", "deep", "a/b", "0", "1"])
            .prop_map(str::to_owned),
        1 => ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn document() -> impl Strategy<Value = Vec<u8>> {
    (value(), any::<bool>(), any::<bool>()).prop_map(|(value, is_pretty, is_message)| {
        let mut value = value;
        if let (true, Value::Object(members)) = (is_message, &mut value) {
            members.insert("transactionId".to_owned(), json!("t-1"));
            members.insert("eventTime".to_owned(), json!(1_700_000_000_123_u64));
        }
        if is_pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }
            .unwrap()
    })
}

/// Agrees with `serde_json` about whether `text` is JSON, and about each of its fields.
fn agrees(text: &[u8]) -> Result<(), TestCaseError> {
    let expected = serde_json::from_slice::<Value>(text);
    match decode(&POINTERS, text) {
        Ok(((_, fields), _)) => {
            let expected = expected.expect("serde_json reads what is decoded");
            for (pointer, field) in POINTERS.iter().zip(fields) {
                let field = field.map(|it| serde_json::from_str::<Value>(&it).unwrap());
                prop_assert_eq!(field.as_ref(), expected.pointer(pointer), "{}", pointer);
            }
        }
        Err(refused) if refused.class == Class::MalformedJson => prop_assert!(expected.is_err()),
        Err(refused) => prop_assert!(expected.is_ok() || text.is_empty(), "{}", refused),
    }
    Ok(())
}

/// Bytes that matter to JSON, so that mutations are often nearly right.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => prop::sample::select(br#"{}[]",:\u0123456789.eE+-truefalsn "#.to_vec()), 1 => any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn documents_are_read_as_serde_json_reads_them(text in document()) {
        agrees(&text)?;
    }

    #[test]
    fn cut_documents_are_refused_where_serde_json_refuses_them(text in document(), at in any::<prop::sample::Index>()) {
        agrees(&text[..at.index(text.len())])?;
    }

    #[test]
    fn changed_documents_are_refused_where_serde_json_refuses_them(
        text in document(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), byte(), 0..3_u8), 1..4),
    ) {
        let mut text = text;
        for (at, byte, kind) in changes {
            let at = at.index(text.len().max(1)).min(text.len());
            match kind {
                0 if at < text.len() => text[at] = byte,
                1 if at < text.len() => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
        }
        // Where a name stands twice we take the first and serde_json the last.
        agrees_on_form(&text)?;
    }

    #[test]
    fn bytes_are_refused_where_serde_json_refuses_them(text in prop::collection::vec(byte(), 0..24)) {
        agrees_on_form(&text)?;
    }
}

fn agrees_on_form(text: &[u8]) -> Result<(), TestCaseError> {
    let is_json = serde_json::from_slice::<Value>(text).is_ok();
    let refused = decode(&[], text).err().map(|it| it.class);
    let is_refused = matches!(refused, Some(Class::MalformedJson | Class::Empty));
    prop_assert_eq!(is_json, !is_refused);
    Ok(())
}
