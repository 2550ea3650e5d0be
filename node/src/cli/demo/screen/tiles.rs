//! The row of large figures: how much, how much of it waits, and whether all of it is there.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Palette;
use crate::cli::demo::poll::Reading;
use crate::cli::demo::view::{History, View, transactions};
use crate::cli::format;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One figure with its name above and a remark or a curve below.
struct Tile {
    name: &'static str,
    figure: String,
    style: Style,
    below: [String; 2],
}

pub(super) fn draw(
    view: &View,
    reading: &Reading,
    palette: Palette,
    area: Rect,
    frame: &mut Frame<'_>,
) {
    let [_, tiles, reason] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(4), Constraint::Length(1)])
            .areas(area);
    let places = Layout::horizontal([
        Constraint::Fill(5),
        Constraint::Fill(4),
        Constraint::Fill(3),
        Constraint::Fill(3),
        Constraint::Fill(4),
    ])
    .spacing(2)
    .split(tiles);
    let mut all = tiles_of(view, reading, palette, places[1].width.into());
    if !super::is_tall(frame.area()) {
        // There is no room for the larger curve.
        all[0].below[0] = curve(&view.rates, places[0].width.into());
    }
    for (tile, place) in all.into_iter().zip(places.iter()) {
        let [first, second] = tile.below;
        let text = vec![
            Line::styled(tile.name, palette.quiet),
            Line::styled(tile.figure, tile.style),
            Line::styled(first, palette.accent),
            Line::styled(second, palette.quiet),
        ];
        frame.render_widget(Paragraph::new(text), *place);
    }
    if let Some(text) = super::reason(reading) {
        frame.render_widget(Span::styled(format!("▲ {text}"), palette.warning), reason);
    }
}

fn tiles_of(view: &View, reading: &Reading, palette: Palette, width: usize) -> [Tile; 5] {
    let pulse = &reading.pulse;
    let seen = transactions(pulse);
    let rate = view.rates.last().map_or_else(|| "–".to_owned(), format::thousands);
    let incomplete = format::percent(pulse.incomplete, seen);
    let corrected = format::percent(pulse.corrected, pulse.incomplete);
    [
        Tile {
            name: "TRANSACTIONS/S",
            figure: rate,
            style: palette.strong,
            below: [
                format::bytes(view.bytes_per_second) + "/s",
                format!("{} so far", format::thousands(seen)),
            ],
        },
        Tile {
            name: "OPEN",
            figure: format::thousands(pulse.open),
            style: palette.strong,
            below: [curve(&view.open, width), "wait for a leg".to_owned()],
        },
        Tile {
            name: "INCOMPLETE",
            figure: format::thousands(pulse.incomplete),
            style: if pulse.incomplete > 0 { palette.warning } else { palette.strong },
            below: [incomplete, "of all".to_owned()],
        },
        Tile {
            name: "CORRECTED",
            figure: format::thousands(pulse.corrected),
            style: palette.strong,
            below: [corrected, "of these".to_owned()],
        },
        ledger(reading, palette),
    ]
}

/// The figure that must never be wrong gets words, not a curve.
fn ledger(reading: &Reading, palette: Palette) -> Tile {
    let total = reading.ledger.total();
    let (figure, style) = match reading.ledger.is_balanced() {
        true => ("✓ balanced".to_owned(), palette.good),
        false => (format!("■ {} off", format::thousands(total.imbalance())), palette.bad),
    };
    let doubled = total.duplicates + total.conflicts;
    Tile {
        name: "LEDGER",
        figure,
        style,
        below: [
            format!("{} records", format::thousands(total.consumed)),
            format!("{} doubled", format::thousands(doubled)),
        ],
    }
}

/// The newest values as bars, from nought to the greatest of them.
fn curve(history: &History, width: usize) -> String {
    let values = history.newest(width);
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let step = |value: u64| usize::try_from(u128::from(value) * 7 / u128::from(most)).unwrap_or(7);
    values.into_iter().map(|value| BARS[step(value).min(7)]).collect()
}
