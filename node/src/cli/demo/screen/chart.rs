//! The larger curve: transactions a second over the last two minutes, where the screen has room.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Palette;
use crate::cli::demo::view::History;
use crate::cli::format;

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn draw(history: &History, palette: Palette, area: Rect, frame: &mut Frame<'_>) {
    let [title, bars] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let values = history.newest(area.width.into());
    let most = values.iter().copied().max().unwrap_or(0);
    frame.render_widget(Span::styled("TRANSACTIONS/S, EACH SECOND", palette.quiet), title);
    let top = Line::styled(format!("top {}", format::thousands(most)), palette.quiet);
    frame.render_widget(Paragraph::new(top).alignment(Alignment::Right), title);
    let rows = columns(&values, most, bars.height.into(), bars.width.into());
    let lines: Vec<Line<'_>> =
        rows.into_iter().map(|row| Line::styled(row, palette.accent)).collect();
    frame.render_widget(Paragraph::new(lines), bars);
}

/// One column a value from nought to `most`, the newest at the right; rows from the top.
fn columns(values: &[u64], most: u64, height: usize, width: usize) -> Vec<String> {
    let full = height * 8;
    let level = |value: u64| {
        let level = u128::from(value) * full as u128 / u128::from(most.max(1));
        usize::try_from(level).unwrap_or(full)
    };
    let indent = " ".repeat(width.saturating_sub(values.len()));
    let row = |from_bottom: usize| {
        let cell = |&value: &u64| EIGHTHS[level(value).saturating_sub(from_bottom * 8).min(8)];
        indent.clone() + &values.iter().map(cell).collect::<String>()
    };
    (0..height).rev().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_value_fills_its_column_and_nought_is_empty() {
        assert_eq!(columns(&[0, 50, 100], 100, 2, 4), ["   █", "  ██"]);
        assert_eq!(columns(&[0, 75, 100], 100, 2, 3), [" ▄█", " ██"]);
        assert_eq!(columns(&[0], 0, 1, 2), ["  "]);
    }
}
