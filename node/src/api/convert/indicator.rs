//! Questions about indicators from messages, and cells as messages.

use std::num::NonZeroUsize;

use proto::api::v1;

use super::{count, duration_ms, event_time, event_time_of, last};
use crate::api::backend::{Cell, Figure, Indicator, IndicatorKind, Query};
use crate::problem::{Code, Problem};

pub(in crate::api) fn indicator(indicator: Indicator) -> v1::Indicator {
    let kind = match indicator.kind {
        IndicatorKind::Ratio => "ratio",
        IndicatorKind::Durations => "durations",
    };
    v1::Indicator {
        name: format!("scenarios/{}/indicators/{}", indicator.scenario, indicator.name),
        kind: kind.to_owned(),
        by: indicator.dimensions,
        windows: indicator.windows,
    }
}

pub(in crate::api) fn query(request: v1::QueryIndicatorRequest) -> Result<Query, Problem> {
    let (scenario, indicator) = name(&request.name)?;
    let mut group_by = request.group_by.into_iter();
    let dimension = group_by.next();
    if group_by.next().is_some() {
        let why = "figures are kept for each dimension by itself, not for their combinations";
        return Err(Problem::new(Code::BadArgument, "cannot group by more than one", why)
            .remedy("ask once for each dimension"));
    }
    let (dimension, value) = narrow(dimension, &request.filter)?;
    let (from, to) = (request.start_time.map(event_time_of), request.end_time.map(event_time_of));
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        let what = "the time asked for is empty";
        return Err(Problem::new(Code::BadArgument, what, "start_time must be before end_time"));
    }
    let window = Some(request.window).filter(|window| !window.is_empty());
    let top = usize::try_from(request.top_n).ok().and_then(NonZeroUsize::new);
    Ok(Query { scenario, indicator, window, from, to, dimension, value, top })
}

fn name(name: &str) -> Result<(String, String), Problem> {
    let parts = last(name, "scenarios")?.split_once("/indicators/");
    let whole = parts.filter(|(scenario, indicator)| !scenario.is_empty() && !indicator.is_empty());
    let (scenario, indicator) = whole.ok_or_else(|| {
        let why = "the name must be scenarios/{scenario}/indicators/{indicator}";
        Problem::new(Code::BadArgument, format!("cannot read the name {name:?}"), why)
    })?;
    Ok((scenario.to_owned(), indicator.to_owned()))
}

/// The dimension and its one value that a filter such as `channel = "atm"` leaves.
fn narrow(
    dimension: Option<String>,
    filter: &str,
) -> Result<(Option<String>, Option<String>), Problem> {
    if filter.is_empty() {
        return Ok((dimension, None));
    }
    let parts = filter.split_once('=').map(|(field, value)| (field.trim(), value.trim()));
    let quoted = |value: &str| {
        let inner = value.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.is_empty() && !inner.contains('"')).then(|| inner.to_owned())
    };
    let parsed = parts.and_then(|(field, value)| Some((field, quoted(value)?)));
    let Some((field, value)) = parsed.filter(|(field, _)| !field.is_empty()) else {
        let why = "a filter is one dimension and one value, such as: channel = \"atm\"";
        return Err(Problem::new(
            Code::FilterSyntax,
            format!("cannot read filter {filter:?}"),
            why,
        ));
    };
    match dimension {
        Some(dimension) if dimension != field => {
            let what = format!("cannot filter by {field} what is grouped by {dimension}");
            let why = "figures are kept for each dimension by itself, not for their combinations";
            Err(Problem::new(Code::BadArgument, what, why))
        }
        Some(_) | None => Ok((Some(field.to_owned()), Some(value))),
    }
}

pub(in crate::api) fn cell(cell: Cell) -> v1::Cell {
    let mut message = v1::Cell {
        window_start: Some(event_time(cell.start)),
        window_end: Some(event_time(cell.end)),
        key: cell.key.into_iter().collect(),
        version: cell.version,
        ..v1::Cell::default()
    };
    match cell.figure {
        Figure::Ratio { numerator, denominator } => {
            message.numerator = count(numerator);
            message.denominator = count(denominator);
            message.value = quotient(numerator, denominator);
        }
        Figure::Durations { count: counted, sum_ms, min_ms, max_ms, p50_ms, p95_ms } => {
            message.value = quotient(sum_ms, counted);
            message.durations = Some(v1::Distribution {
                count: count(counted),
                sum: Some(duration_ms(sum_ms)),
                min: Some(duration_ms(min_ms)),
                max: Some(duration_ms(max_ms)),
                p50: Some(duration_ms(p50_ms)),
                p95: Some(duration_ms(p95_ms)),
            });
        }
    }
    message
}

/// `None` where nothing was counted: a rate of nothing is not 0.
#[expect(clippy::cast_precision_loss, reason = "shown to people, who read four digits")]
fn quotient(numerator: u64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator as f64 / denominator as f64)
}

#[cfg(test)]
mod tests {
    use proto::types::EventTime;

    use super::*;

    const NAME: &str = "scenarios/bank/indicators/duration";

    fn ask(group_by: &[&str], filter: &str) -> Result<Query, Problem> {
        query(v1::QueryIndicatorRequest {
            name: NAME.to_owned(),
            group_by: group_by.iter().map(|&dimension| dimension.to_owned()).collect(),
            filter: filter.to_owned(),
            ..v1::QueryIndicatorRequest::default()
        })
    }

    #[test]
    fn an_empty_question_is_one_cell_over_everything() {
        let query = ask(&[], "").unwrap();
        assert_eq!((query.scenario.as_str(), query.indicator.as_str()), ("bank", "duration"));
        assert_eq!((query.window, query.dimension, query.value), (None, None, None));
        assert_eq!((query.from, query.to, query.top), (None, None, None));
    }

    #[test]
    fn a_filter_names_a_dimension_and_one_of_its_values() {
        for group_by in [&[][..], &["channel"]] {
            for filter in ["channel = \"atm\"", "channel=\"atm\"", " channel  =  \"atm\" "] {
                let query = ask(group_by, filter).unwrap();
                assert_eq!(query.dimension.as_deref(), Some("channel"));
                assert_eq!(query.value.as_deref(), Some("atm"));
            }
        }
    }

    #[test]
    fn a_filter_that_says_less_or_more_is_refused_rather_than_ignored() {
        for filter in
            ["channel", "channel = atm", "= \"atm\"", "channel = \"\"", "a=\"b\" AND c=\"d\""]
        {
            assert_eq!(ask(&[], filter).unwrap_err().code, Code::FilterSyntax, "{filter}");
        }
    }

    #[test]
    fn two_dimensions_at_once_are_refused() {
        assert_eq!(ask(&["channel", "product"], "").unwrap_err().code, Code::BadArgument);
        assert_eq!(ask(&["channel"], "product = \"1\"").unwrap_err().code, Code::BadArgument);
    }

    #[test]
    fn a_name_without_scenario_is_refused() {
        for name in
            ["duration", "scenarios/bank", "scenarios//indicators/x", "scenarios/b/indicators/"]
        {
            let request = v1::QueryIndicatorRequest { name: name.to_owned(), ..Default::default() };
            assert_eq!(query(request).unwrap_err().code, Code::BadArgument, "{name}");
        }
    }

    #[test]
    fn a_rate_of_nothing_has_no_value() {
        let figure = Figure::Ratio { numerator: 0, denominator: 0 };
        let (start, end) = (EventTime(0), EventTime(60_000));
        assert_eq!(cell(Cell { start, end, key: None, figure, version: 1 }).value, None);
        let figure = Figure::Ratio { numerator: 3, denominator: 4 };
        assert_eq!(cell(Cell { start, end, key: None, figure, version: 1 }).value, Some(0.75));
    }
}
