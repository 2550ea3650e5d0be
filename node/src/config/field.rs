//! Fields as files name them: `<leg>:<JSON pointer>`.

use std::cell::RefCell;

use actors::machine::fields::{Field, FieldTable};
use proto::types::Leg;

use super::diagnostic::Code;
use super::report::{Finding, Report};
use super::rules;
use super::section::text_of;
use super::suggest::nearest;
use super::tree::{Kind, Node};

/// The table that all fields of all files go into.
pub(super) type Table = RefCell<FieldTable>;

/// How many fields a leg's bodies can carry (I13): reading one passes all before it.
const MAX_FIELDS: usize = 200;

/// The field that `node` names; `None`, with the reason noted, where it names none.
pub(super) fn field(report: &Report<'_>, table: &Table, node: &Node) -> Option<Field> {
    let text = text_of(report, "a field", node)?;
    let (leg, pointer) = match parse(text) {
        Ok(parts) => parts,
        Err(help) => {
            let message = format!("\"{text}\" is not a field");
            let note = "a field is <leg>:<JSON pointer>, as in request:/body/businessKey";
            let finding = Finding::new(Code::WrongField, message).help(help).note(note);
            report.error(node.span, finding);
            return None;
        }
    };
    let mut table = table.borrow_mut();
    let known = table.pointers(leg);
    if known.len() == MAX_FIELDS && !known.contains(&pointer) {
        let message = format!("the {leg} has more than {MAX_FIELDS} fields in use");
        report.error(node.span, Finding::new(Code::OutOfBounds, message));
        return None;
    }
    Some(table.intern(leg, &pointer))
}

/// The field or fields that `node` names: one, or a list.
pub(super) fn fields(report: &Report<'_>, table: &Table, node: &Node) -> Vec<Field> {
    match &node.kind {
        Kind::List(items) => items.iter().filter_map(|it| field(report, table, it)).collect(),
        Kind::Null | Kind::Scalar(_) | Kind::Mapping(_) => {
            field(report, table, node).into_iter().collect()
        }
    }
}

/// The field of that name, which is ours and therefore right.
pub(super) fn known(table: &Table, text: &str) -> Field {
    let (leg, pointer) = parse(text).expect("a default names a field");
    table.borrow_mut().intern(leg, &pointer)
}

/// How a file would name the field.
pub(super) fn spell(table: &FieldTable, field: Field) -> String {
    let pointer = table.pointers(field.leg).get(usize::from(field.place));
    format!("{}:{}", field.leg, pointer.map_or("", String::as_str))
}

fn parse(text: &str) -> Result<(Leg, String), String> {
    let Some((leg, pointer)) = text.split_once(':') else {
        return Err(format!(
            "say of which leg, as in \"request:/{}\"",
            text.trim_start_matches('/')
        ));
    };
    let names = Leg::ALL.map(Leg::name);
    let Some(leg) = Leg::ALL.into_iter().find(|it| it.name() == leg) else {
        let near = nearest(leg, names).map(|it| format!("did you mean \"{it}\"?"));
        return Err(near.unwrap_or_else(|| "the legs are trace, request and response".to_owned()));
    };
    Ok((leg, rules::pointer(pointer)?))
}
