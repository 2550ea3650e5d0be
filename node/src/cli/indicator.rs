//! `throughline indicator`: rates and times, by window and dimension.

use clap::{Args, Subcommand};
use proto::api::v1;
use proto::api::v1::indicator_service_client::IndicatorServiceClient;
use tonic::transport::Channel;

use super::failure::Failure;
use super::io::Io;
use super::table::{Column, message, messages, table};
use super::{Format, Shared, client, format};
use crate::problem::{Code, Exit, Problem};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the indicators that can be asked for.
    #[command(after_help = "Examples:
  throughline indicator list
  throughline indicator list -o json | jq -r '.[].name'")]
    List,
    /// Ask for an indicator's figures.
    #[command(after_help = "Examples:
  throughline indicator query transaction-success --by channel
  throughline indicator query duration --by channel --value atm --window 1m
  throughline indicator query transaction-approval --by institution --top 3 -o json")]
    Query(Query),
}

#[derive(Args, Debug)]
pub(super) struct Query {
    /// The indicator's name, from `indicator list`.
    name: String,
    /// The scenario that declares it.
    #[arg(long, default_value = "bank")]
    scenario: String,
    /// Group by this dimension.
    #[arg(long, value_name = "DIMENSION")]
    by: Option<String>,
    /// Only this value of the dimension.
    #[arg(long, requires = "by")]
    value: Option<String>,
    /// A figure for each window of this size; without it, one over the whole time.
    #[arg(long, value_name = "SIZE")]
    window: Option<String>,
    /// From this time on, such as 2026-11-23T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Up to this time.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Only the values with the most transactions.
    #[arg(long, value_name = "COUNT")]
    top: Option<u16>,
}

pub(super) async fn run(command: Command, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let client = IndicatorServiceClient::new(client::connect(shared).await?);
    match command {
        Command::List => list(client, shared, io).await?,
        Command::Query(query) => ask(client, query, shared, io).await?,
    }
    Ok(Exit::Done)
}

async fn list(
    mut client: IndicatorServiceClient<Channel>,
    shared: &Shared,
    io: &mut Io,
) -> Result<(), Failure> {
    let request = v1::ListIndicatorsRequest { page_size: 1000, ..Default::default() };
    let indicators = client.list_indicators(request).await?.into_inner().indicators;
    if shared.output == Format::Json {
        return messages(io, &indicators);
    }
    let columns = ["INDICATOR", "KIND", "BY", "WINDOWS"].map(Column::Left);
    let row = |indicator: &v1::Indicator| {
        let name = format::short(&indicator.name).to_owned();
        vec![name, indicator.kind.clone(), indicator.by.join(" "), indicator.windows.join(" ")]
    };
    table(io, &columns, indicators.iter().map(row).collect())
}

async fn ask(
    mut client: IndicatorServiceClient<Channel>,
    query: Query,
    shared: &Shared,
    io: &mut Io,
) -> Result<(), Failure> {
    let by = query.by.clone();
    let answer = client.query_indicator(request(query)?).await?.into_inner();
    if shared.output == Format::Json {
        return message(io, &answer);
    }
    if answer.cells.is_empty() {
        io.remark("Nothing was counted in that time.")?;
    } else {
        show(io, by.as_deref(), &answer.cells)?;
    }
    let as_of = answer.as_of.unwrap_or_default();
    io.remark(&format!("{} behind live", format::span(as_of.lag.as_ref())))?;
    if !as_of.complete {
        let missing = as_of.missing_ranges.join(", ");
        io.remark(&format!("△ these are at least the figures: {missing} did not answer"))?;
    }
    Ok(())
}

fn request(query: Query) -> Result<v1::QueryIndicatorRequest, Problem> {
    let time = |time: jiff::Timestamp| prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    };
    let filter = match (&query.by, &query.value) {
        (Some(by), Some(value)) if !value.contains('"') => format!("{by} = \"{value}\""),
        (Some(_), Some(value)) => {
            let what = format!("cannot ask for the value {value:?}");
            return Err(Problem::new(Code::BadArgument, what, "a value holds no quotation mark"));
        }
        (_, _) => String::new(),
    };
    Ok(v1::QueryIndicatorRequest {
        name: format!("scenarios/{}/indicators/{}", query.scenario, query.name),
        window: query.window.unwrap_or_default(),
        start_time: query.from.map(time),
        end_time: query.to.map(time),
        group_by: query.by.into_iter().collect(),
        filter,
        top_n: query.top.map_or(0, i32::from),
    })
}

fn show(io: &mut Io, by: Option<&str>, cells: &[v1::Cell]) -> Result<(), Failure> {
    let timed = cells.iter().any(|cell| cell.durations.is_some());
    let figures: &[Column] = match timed {
        true => &[
            Column::Right("COUNT"),
            Column::Right("P50"),
            Column::Right("P95"),
            Column::Right("MAX"),
        ],
        false => &[Column::Right("RATE"), Column::Right("YES"), Column::Right("OF")],
    };
    let mut columns = vec![Column::Left("FROM"), Column::Left("VALUE")];
    columns.extend(figures);
    let row = |cell: &v1::Cell| {
        let value = by.and_then(|by| cell.key.get(by)).map_or("all", String::as_str);
        let mut row = vec![format::time(cell.window_start.as_ref()), value.to_owned()];
        row.extend(figures_of(cell));
        row
    };
    table(io, &columns, cells.iter().map(row).collect())
}

fn figures_of(cell: &v1::Cell) -> Vec<String> {
    match &cell.durations {
        Some(durations) => vec![
            format::thousands(durations.count),
            format::latency(durations.p50.as_ref()),
            format::latency(durations.p95.as_ref()),
            format::latency(durations.max.as_ref()),
        ],
        None => vec![
            format::percent(format::unsigned(cell.numerator), format::unsigned(cell.denominator)),
            format::thousands(cell.numerator),
            format::thousands(cell.denominator),
        ],
    }
}
