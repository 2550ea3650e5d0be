//! The nodes of a cluster, a line each: what each is up to, and which ranges it has.

use proto::api::v1;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::{Palette, states};
use crate::cli::cluster::{Strip, moving};
use crate::cli::demo::poll::Reading;
use crate::cli::demo::view::View;
use crate::cli::format;

/// Name, state, ranges and rate, each with what is free behind it.
const BESIDE: u16 = 7 + 22 + 6 + 11 + 4 * 2;

/// Draws a heading, and a line a node.
pub(super) fn draw(
    view: &View,
    reading: &Reading,
    palette: Palette,
    area: Rect,
    frame: &mut Frame<'_>,
) {
    let heading = Rect { height: area.height.min(1), ..area };
    let table = Rect { y: area.y + heading.height, height: area.height - heading.height, ..area };
    let overview = &reading.overview;
    let mut words = vec![Span::styled("NODES  ", palette.quiet)];
    words.extend(states(&reading.ranges, palette));
    words.extend(moving(overview).first().map(|it| Span::styled(it.clone(), palette.warning)));
    frame.render_widget(Line::from(words), heading);
    let count = overview.nodes.len();
    let hint = Line::from(vec![
        Span::styled(format!("  1–{count}"), palette.strong),
        Span::styled(" kill a node", palette.quiet),
    ]);
    frame.render_widget(Paragraph::new(hint).alignment(Alignment::Right), heading);
    let widths = [
        Constraint::Length(7),
        Constraint::Length(22),
        Constraint::Length(6),
        Constraint::Length(11),
        Constraint::Min(0),
    ];
    let strip = Strip::within(&overview.ranges, table.width.saturating_sub(BESIDE).into());
    let rows = overview.nodes.iter().map(|node| {
        let name = Cell::from(format::short(&node.name)).style(palette.strong);
        let (state, style) = state(view, reading, node, palette);
        let rate = format!("{:.0} rec/s", node.records_per_second);
        let marks = marks(&strip.of_node(node), palette);
        let state = Cell::from(state).style(style);
        Row::new([name, state, right(&node.ranges.to_string()), right(&rate), Cell::from(marks)])
    });
    frame.render_widget(Table::new(rows, widths).column_spacing(2), table);
}

/// What a node is up to, in words.
fn state(view: &View, reading: &Reading, node: &v1::Node, palette: Palette) -> (String, Style) {
    let name = format::short(&node.name);
    if let Some(down) = view.down.iter().find(|down| down.node.as_str() == name) {
        return (format!("× killed, back in {} s", down.back_in.as_secs()), palette.bad);
    }
    let leads = if reading.leads(node) { ", leads" } else { "" };
    match node.state.as_str() {
        "alive" => (format!("● alive{leads}"), palette.good),
        // Another life of it is on its way.
        "dead" => ("○ dead".to_owned(), palette.bad),
        state => (format!("▲ {state}{leads}"), palette.warning),
    }
}

/// The marks, in the colours of what they say.
fn marks(strip: &str, palette: Palette) -> Line<'static> {
    let mark = |mark: char| {
        let style = match mark {
            '■' => palette.good,
            '▲' | '◇' => palette.warning,
            '×' => palette.bad,
            _ => palette.quiet,
        };
        Span::styled(mark.to_string(), style)
    };
    strip.chars().map(mark).collect()
}

fn right(text: &str) -> Cell<'static> {
    Cell::from(Text::from(Line::from(text.to_owned()).alignment(Alignment::Right)))
}
