//! The table of indicators by channel.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, Table};

use super::Palette;
use crate::cli::demo::poll::{Channel, Rate};
use crate::cli::format;

const BAR: u16 = 16;

pub(super) fn draw(channels: &[Channel], palette: Palette, area: Rect, frame: &mut Frame<'_>) {
    let widths = [
        Constraint::Min(11),
        Constraint::Length(9),
        Constraint::Length(BAR),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
    ];
    let headings = ["CHANNEL", "COUNT", "", "SUCCESS", "APPROVED", "P50", "P95"];
    let heading = headings.iter().enumerate().map(|(i, name)| match i {
        0 | 2 => Cell::from(*name),
        _ => right(name),
    });
    let most = channels.iter().map(count).max().unwrap_or(0);
    let rows = channels.iter().map(|channel| row(channel, most, palette));
    let table =
        Table::new(rows, widths).header(Row::new(heading).style(palette.quiet)).column_spacing(1);
    frame.render_widget(table, area);
}

fn row(channel: &Channel, most: u64, palette: Palette) -> Row<'static> {
    let time = |time_ms: Option<u64>| time_ms.map_or_else(|| "–".to_owned(), format::latency_ms);
    Row::new([
        Cell::from(channel.name.clone()).style(palette.strong),
        right(&format::thousands(count(channel))),
        Cell::from(bar(count(channel), most)).style(palette.accent),
        right(&rate(channel.success)),
        right(&rate(channel.approval)),
        right(&time(channel.times.map(|times| times.p50_ms))),
        right(&time(channel.times.map(|times| times.p95_ms))),
    ])
}

/// How many transactions the channel's figures rest on.
fn count(channel: &Channel) -> u64 {
    let timed = channel.times.map(|times| times.count);
    timed.or(channel.success.map(|rate| rate.denominator)).unwrap_or(0)
}

fn rate(rate: Option<Rate>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format::percent(rate.numerator, rate.denominator))
}

/// A bar in eighths of a character; whoever counted anything at all gets one.
fn bar(count: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let whole = u128::from(BAR) * 8;
    let eighths = u128::from(count) * whole / u128::from(most.max(1));
    let eighths = usize::try_from(eighths.max(u128::from(count > 0))).unwrap_or(0);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn right(text: &str) -> Cell<'static> {
    Cell::from(Text::from(Line::from(text.to_owned()).alignment(Alignment::Right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_at_the_greatest_and_visible_at_one() {
        assert_eq!(bar(0, 100), "");
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(100, 100), "█".repeat(BAR.into()));
        assert_eq!(bar(50, 100), "█".repeat(usize::from(BAR / 2)));
        assert_eq!(bar(0, 0), "");
    }
}
