//! A cell as a row of the indicators' outlet: the highest version of a key counts.

use bytes::Bytes;

use super::View;
use crate::machine::partial::Partial;
use crate::machine::partial::layout::{Figure, Indicator, Layout, window_name};

/// A row to be written over every row of the same key that has a lower version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpsertRow {
    /// `scenario|window|start|dimension|value`. The value comes last, for it may contain anything.
    pub key: Bytes,
    /// The version that is also in the payload, for outlets that compare it themselves.
    pub version: u64,
    /// One line of JSON.
    pub payload: Bytes,
}

impl UpsertRow {
    /// The row of `view`; `None` where `layout` does not, or no longer, know its scenario or dimension.
    #[must_use]
    pub fn of(view: &View, layout: &Layout) -> Option<Self> {
        let scenario = layout.scenario(view.key.scenario)?;
        let dimension = &layout.dimension(view.key.scenario, view.key.dimension)?.name;
        let (window, start) = (window_name(view.key.window_ms), view.key.start);
        let key = format!("{}|{window}|{start}|{dimension}|{}", scenario.name, view.key.value);

        let mut json = String::with_capacity(384);
        json.push('{');
        text(&mut json, "scenario", &scenario.name);
        text(&mut json, ",window", &window);
        number(&mut json, ",start", start);
        text(&mut json, ",dimension", dimension);
        text(&mut json, ",value", &view.key.value);
        number(&mut json, ",version", view.version);
        name(&mut json, ",indicators");
        json.push('{');
        for (place, indicator) in scenario.indicators.iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            figures(&mut json, indicator, &view.partial);
        }
        json.push_str("}}");
        Some(Self { key: key.into(), version: view.version, payload: json.into() })
    }
}

fn figures(json: &mut String, indicator: &Indicator, partial: &Partial) {
    name(json, &indicator.name);
    json.push('{');
    match &indicator.figure {
        Figure::Ratio { numerator, denominator } => {
            number(json, "numerator", partial.population(*numerator));
            number(json, ",denominator", partial.population(*denominator));
        }
        Figure::Duration { quantiles } => {
            number(json, "count", partial.count());
            number(json, ",sum", partial.sum_ms());
            number(json, ",min", partial.min_ms().unwrap_or(0));
            number(json, ",max", partial.max_ms().unwrap_or(0));
            for &quantile in quantiles {
                let value = partial.quantile(quantile).unwrap_or(0);
                number(json, &format!(",{quantile}"), value);
            }
        }
    }
    json.push('}');
}

/// Writes a member's name; a comma before it is written before it.
fn name(json: &mut String, name: &str) {
    let bare = name.strip_prefix(',');
    if bare.is_some() {
        json.push(',');
    }
    json.push_str(&quoted(bare.unwrap_or(name)));
    json.push(':');
}

fn text(json: &mut String, member: &str, value: &str) {
    name(json, member);
    json.push_str(&quoted(value));
}

fn number(json: &mut String, member: &str, value: impl itoa::Integer) {
    name(json, member);
    json.push_str(itoa::Buffer::new().format(value));
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text is a JSON string")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::partial::CellKey;
    use crate::machine::partial::layout::{Dimension, Scenario};
    use crate::machine::sketch::Quantile;

    fn layout() -> Layout {
        let ratio = |name: &str, numerator, denominator| Indicator {
            name: name.to_owned(),
            figure: Figure::Ratio { numerator, denominator },
        };
        let quantiles = [500, 950].map(|it| Quantile::new(it).unwrap()).to_vec();
        let indicators = vec![
            ratio("transaction-success", 1, 0),
            ratio("transaction-approval", 3, 2),
            Indicator { name: "duration".to_owned(), figure: Figure::Duration { quantiles } },
        ];
        let dimensions = vec![Dimension { name: "channel".to_owned(), max_values: 9 }];
        Layout { scenarios: vec![Scenario { name: "bank".to_owned(), dimensions, indicators }] }
    }

    fn view(value: &str) -> View {
        let mut partial = Partial::default();
        partial.add(0b0111, 40);
        partial.add(0b1111, 50);
        partial.add(0b0001, 60);
        let (start, value) = (1_700_000_040_000, value.into());
        let key = CellKey { scenario: 0, window_ms: 60_000, dimension: 0, start, value };
        View { key, version: 3, partial }
    }

    #[test]
    fn a_row_is_one_line_of_json_in_the_order_that_is_promised() {
        let row = UpsertRow::of(&view("atm"), &layout()).unwrap();
        assert_eq!(row.key, "bank|1m|1700000040000|channel|atm");
        assert_eq!(
            row.payload,
            concat!(
                r#"{"scenario":"bank","window":"1m","start":1700000040000,"dimension":"channel","#,
                r#""value":"atm","version":3,"indicators":{"#,
                r#""transaction-success":{"numerator":2,"denominator":3},"#,
                r#""transaction-approval":{"numerator":1,"denominator":2},"#,
                r#""duration":{"count":3,"sum":150,"min":40,"max":60,"p50":50,"p95":50}}}"#,
            )
        );
    }

    #[test]
    fn a_value_that_needs_it_is_escaped() {
        for value in ["a\"b", "a\\b", "a\nb", ",x", "支付宝", "\u{1}"] {
            let row = UpsertRow::of(&view(value), &layout()).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&row.payload).unwrap();
            assert_eq!(json["value"], value);
            assert!(!row.payload.contains(&b'\n'));
        }
    }

    #[test]
    fn what_the_layout_does_not_know_has_no_row() {
        let mut elsewhere = view("atm");
        elsewhere.key.dimension = 1;
        assert_eq!(UpsertRow::of(&elsewhere, &layout()), None);
        assert_eq!(UpsertRow::of(&view("atm"), &Layout::default()), None);
    }
}
