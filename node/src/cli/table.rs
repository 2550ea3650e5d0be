//! Lists and messages on the screen: a table for people, protobuf JSON for programs.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::failure::Failure;
use super::io::Io;
use crate::problem::{Code, Problem};

/// A column's heading and where its cells stand.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Words.
    Left(&'static str),
    /// Figures.
    Right(&'static str),
}

/// Writes rows under headings. Never cut: what is piped must be whole.
pub(super) fn table(
    io: &mut Io,
    columns: &[Column],
    rows: Vec<Vec<String>>,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let heading = |column: &Column| match column {
        Column::Left(heading) | Column::Right(heading) => *heading,
    };
    table.set_header(columns.iter().map(heading));
    table.add_rows(rows);
    for (column, shape) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if matches!(shape, Column::Right(_)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.to_string().lines() {
        io.line(line.trim_end())?;
    }
    Ok(())
}

/// Writes one message as protobuf JSON on a line.
pub(super) fn message<M: Message + Name>(io: &mut Io, message: &M) -> Result<(), Failure> {
    io.line(&json(message)?.to_string())?;
    Ok(())
}

/// Writes messages as one JSON array; `[]` where there are none.
pub(super) fn messages<M: Message + Name>(io: &mut Io, messages: &[M]) -> Result<(), Failure> {
    let values: Result<Vec<_>, _> = messages.iter().map(json).collect();
    io.line(&serde_json::Value::from(values?).to_string())?;
    Ok(())
}

/// The canonical JSON of a message, worked out from its descriptor: no second set of names.
fn json<M: Message + Name>(message: &M) -> Result<serde_json::Value, Problem> {
    let fault = |error: &dyn std::error::Error| {
        Problem::new(Code::Bug, "cannot show the answer as JSON", error.to_string())
    };
    let pool = DescriptorPool::decode(proto::api::DESCRIPTORS).map_err(|error| fault(&error))?;
    let descriptor = pool.get_message_by_name(&M::full_name()).ok_or_else(|| {
        let why = format!("{} is not described", M::full_name());
        Problem::new(Code::Bug, "cannot show the answer as JSON", why)
    })?;
    let bytes = message.encode_to_vec();
    let dynamic =
        DynamicMessage::decode(descriptor, bytes.as_slice()).map_err(|error| fault(&error))?;
    serde_json::to_value(&dynamic).map_err(|error| fault(&error))
}
