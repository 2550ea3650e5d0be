//! The picture: a pure function of the view, from top to bottom.

mod channels;
mod chart;
mod nodes;
mod palette;
mod tiles;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Margin, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use self::palette::Palette;
use super::super::format;
use super::super::io::Screen;
use super::poll::Reading;
use super::view::{View, clock};
use crate::api::backend::{Health, Range, RangeState};

/// From this height on there is room for the larger curve.
const TALL: u16 = 28;

fn is_tall(area: Rect) -> bool {
    area.height >= TALL
}

/// Draws the whole picture.
pub(super) fn render(view: &View, screen: Screen, frame: &mut Frame<'_>) {
    let palette = Palette::of(screen);
    let area = frame.area().inner(Margin { horizontal: 1, vertical: 0 });
    let [header, tiles, chart, table, ranges, footer] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(6),
        Constraint::Length(if is_tall(area) { 6 } else { 0 }),
        Constraint::Min(4),
        Constraint::Length(lines_of_ranges(view)),
        Constraint::Length(2),
    ])
    .areas(area);
    draw_header(view, palette, header, frame);
    draw_footer(view, palette, footer, frame);
    let Some(reading) = &view.reading else {
        let text = view.trouble.as_deref().unwrap_or("Reading the first records …");
        frame.render_widget(Paragraph::new(text).style(palette.quiet), tiles);
        return;
    };
    tiles::draw(view, reading, palette, tiles, frame);
    if chart.height > 0 {
        // One line below stays free.
        let chart = Rect { height: chart.height - 1, ..chart };
        chart::draw(&view.rates, palette, chart, frame);
    }
    channels::draw(&reading.channels, palette, table, frame);
    let ranges = ranges.inner(Margin { horizontal: 0, vertical: 1 });
    if has_nodes(reading) {
        nodes::draw(view, reading, palette, ranges, frame);
    } else {
        draw_ranges(&reading.ranges, palette, ranges, frame);
    }
}

/// Whether there are nodes to tell apart.
fn has_nodes(reading: &Reading) -> bool {
    reading.overview.nodes.len() > 1
}

/// A heading and the marks of all ranges, or a line of them a node; one line above and one below stay free.
fn lines_of_ranges(view: &View) -> u16 {
    let reading = view.reading.as_ref().filter(|reading| has_nodes(reading));
    let lines = reading.map_or(1, |reading| reading.overview.nodes.len());
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(3)
}

fn draw_header(view: &View, palette: Palette, area: Rect, frame: &mut Frame<'_>) {
    let block = Block::new().borders(Borders::BOTTOM).border_style(palette.quiet);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let name = view.reading.as_ref().map_or("", |reading| reading.cluster.name.as_str());
    let title = Line::from(vec![
        Span::styled("Throughline", palette.strong),
        Span::styled(format!("  {name}"), palette.quiet),
    ]);
    frame.render_widget(title, inner);
    let chip = Line::from(vec![
        chip(view, palette),
        Span::styled(format!("   {}", clock(view.elapsed)), palette.quiet),
    ]);
    frame.render_widget(Paragraph::new(chip).alignment(Alignment::Right), inner);
}

/// How fresh the picture is: never absent, and its shape says it without colour.
fn chip(view: &View, palette: Palette) -> Span<'static> {
    if view.is_paused {
        return Span::styled(format!("⏸ Paused at {}", clock(view.elapsed)), palette.warning);
    }
    let Some(reading) = view.reading.as_ref().filter(|_| view.trouble.is_none()) else {
        return Span::styled("○ No answer", palette.bad);
    };
    if let missing @ 1.. = reading.as_of.missing.len() {
        let text = format!("△ {missing} of {} ranges missing", reading.cluster.ranges);
        return Span::styled(text, palette.warning);
    }
    let behind = format::span_ms(reading.as_of.lag_ms);
    match (reading.cluster.health, reading.as_of.lag_ms) {
        (Health::Unavailable, _) => Span::styled("■ Unavailable", palette.bad),
        (Health::Degraded, _) => {
            Span::styled(format!("▲ Degraded · {behind} behind"), palette.warning)
        }
        (Health::Healthy, 0..10_000) => {
            Span::styled(format!("● Live · {behind} behind"), palette.good)
        }
        (Health::Healthy, 10_000..) => {
            Span::styled(format!("◐ Catching up · {behind} behind"), palette.warning)
        }
    }
}

/// One mark a range, as many as fit: full where it serves, hollow where nobody does.
fn draw_ranges(ranges: &[Range], palette: Palette, area: Rect, frame: &mut Frame<'_>) {
    let mut words = vec![Span::styled("RANGES  ", palette.quiet)];
    words.extend(states(ranges, palette));
    let marks = ranges.iter().map(|range| match range.state {
        RangeState::Serving => Span::styled("■ ", palette.good),
        RangeState::Restoring | RangeState::Closing => Span::styled("▲ ", palette.warning),
        RangeState::Stopped => Span::styled("× ", palette.bad),
        RangeState::Unowned | RangeState::Silent => Span::styled("□ ", palette.bad),
    });
    let room = usize::from(area.width / 2);
    let mut strip: Vec<_> = marks.take(room).collect();
    if ranges.len() > room
        && let Some(last) = strip.last_mut()
    {
        *last = Span::styled("…", palette.quiet);
    }
    let text = vec![Line::from(words), Line::from(strip)];
    frame.render_widget(Paragraph::new(text), area);
}

/// How many ranges are in each state.
fn states(ranges: &[Range], palette: Palette) -> Vec<Span<'static>> {
    let count = |state| (state, ranges.iter().filter(|range| range.state == state).count());
    let counts = RangeState::ALL.into_iter().map(count).filter(|(_, count)| *count > 0);
    let word = |(state, count): (RangeState, usize)| {
        let style = if state == RangeState::Serving { palette.plain } else { palette.warning };
        Span::styled(format!("{count} {}  ", state.name()), style)
    };
    counts.map(word).collect()
}

fn draw_footer(view: &View, palette: Palette, area: Rect, frame: &mut Frame<'_>) {
    let block = Block::new().borders(Borders::TOP).border_style(palette.quiet);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let places = format!("gRPC {}   http://{}/metrics", view.api, view.metrics);
    frame.render_widget(Span::styled(places, palette.quiet), inner);
    let pause = if view.is_paused { "go on" } else { "pause" };
    let keys = Line::from(vec![
        Span::styled("space", palette.strong),
        Span::styled(format!(" {pause}   "), palette.quiet),
        Span::styled("q", palette.strong),
        Span::styled(" quit", palette.quiet),
    ]);
    frame.render_widget(Paragraph::new(keys).alignment(Alignment::Right), inner);
}

/// The worst thing to say about a reading, where there is one.
fn reason(reading: &Reading) -> Option<&str> {
    reading.cluster.reasons.first().map(String::as_str)
}
