//! The picture of the fake bank, compared with screens on file.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::lines::line;
use super::poll::{Reading, read};
use super::*;
use crate::api::backend::{Health, RangeState};
use crate::cli::Down;
use crate::fake::Fake;

async fn reading(fake: Fake) -> Reading {
    read(&fake).await.unwrap()
}

/// A view after half a minute of about 2,000 transactions a second.
async fn view() -> View {
    let mut view = View::new("127.0.0.1:7400".parse().unwrap(), "127.0.0.1:7402".parse().unwrap());
    let mut reading = reading(Fake::default()).await;
    reading.pulse.complete = 0;
    for second in 0..=30_u64 {
        let wave = [0, 60, 140, 210, 240, 210, 140, 60][usize::try_from(second % 8).unwrap()];
        reading.pulse.complete += 1500 + 3 * wave;
        reading.pulse.open = 200 + 15 * second;
        reading.pulse.bytes += 2_100_000;
        view.take(Duration::from_secs(second), reading.clone());
    }
    view
}

fn drawn(view: &View, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::render(view, Screen::Plain, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| {
        let cells = (0..width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    (0..height).map(row).collect()
}

#[tokio::test]
async fn the_picture_is_as_on_file() {
    let (alone, together) = (view().await, together().await);
    // Read when the test runs: to accept a new picture, put it into the file.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/golden");
    let mut differ = String::new();
    for (name, view, size) in [
        ("100x30", &alone, (100, 30)),
        ("80x24", &alone, (80, 24)),
        ("nodes-80x24", &together, (80, 24)),
    ] {
        let file = format!("{folder}/{name}.txt");
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        let drawn = drawn(view, size);
        if golden != drawn {
            differ += &format!("{file} should now be:\n{drawn}");
        }
    }
    assert!(differ.is_empty(), "{differ}");
}

/// A view of three nodes; the second was killed, the third is about to get a range.
async fn together() -> View {
    let mut view = view().await;
    let fake = Fake { others: 2, is_still: true, ..Fake::default() };
    view.take(Duration::from_secs(31), reading(fake).await);
    let node = proto::types::NodeId::new("node-2").unwrap();
    view.down = vec![Down { node, back_in: Duration::from_millis(4_700) }];
    view
}

#[tokio::test]
async fn a_line_says_which_node_has_how_many_ranges_and_which_was_killed() {
    let line = line(&together().await);
    assert!(line.ends_with("MB/s   node-1 1 leads, node-2 killed, node-3 0"), "{line}");
}

#[tokio::test]
async fn what_ranges_had_that_are_silent_is_not_taken_back_and_what_they_catch_up_with_comes_at_once()
 {
    let mut reading = reading(Fake { others: 2, is_still: true, ..Fake::default() }).await;
    let mut view = View::new("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    let mut second = 0;
    let mut take = |reading: &Reading| {
        second += 1;
        view.take(Duration::from_secs(second), reading.clone());
        let pulse = &view.reading.as_ref().unwrap().pulse;
        (pulse.complete + pulse.incomplete + pulse.corrected, pulse.open, view.rates.last())
    };
    // Three of the four answer, 5,850 results and 152 open transactions each.
    assert_eq!(take(&reading), (17_550, 456, None));
    let (sequence, open) = (reading.ranges[0].sequence, reading.ranges[0].open);
    reading.ranges[0].state = RangeState::Silent;
    (reading.ranges[0].sequence.0, reading.ranges[0].open) = (0, 0);
    reading.ranges[1].sequence.0 += 100;
    assert_eq!(take(&reading), (17_650, 456, Some(100)));
    reading.ranges[0].state = RangeState::Serving;
    (reading.ranges[0].sequence.0, reading.ranges[0].open) = (sequence.0 + 300, open);
    assert_eq!(take(&reading), (17_950, 456, Some(300)));
}

#[tokio::test]
async fn the_freshness_is_never_absent_and_told_by_shape() {
    let mut view = View::new("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    assert!(drawn(&view, (80, 24)).contains("○ No answer"));
    let mut now = reading(Fake::default()).await;
    let mut check = |now: &Reading, chip: &str| {
        view.take(Duration::from_secs(1), now.clone());
        let drawn = drawn(&view, (80, 24));
        assert!(drawn.contains(chip), "{chip} is not in\n{drawn}");
    };
    check(&now, "● Live · 0.8 s behind");
    now.as_of.lag_ms = 250_000;
    check(&now, "◐ Catching up · 4 min 10 s behind");
    now.cluster.health = Health::Degraded;
    check(&now, "▲ Degraded");
    now.cluster.health = Health::Unavailable;
    check(&now, "■ Unavailable");
    now.as_of.missing = vec![proto::types::RangeId(1)];
    check(&now, "△ 1 of 4 ranges missing");
    view.is_paused = true;
    assert!(drawn(&view, (80, 24)).contains("⏸ Paused at 00:01"));
}

#[tokio::test]
async fn a_loss_is_seen_in_the_picture_and_in_the_line() {
    let mut view = view().await;
    view.take(Duration::from_secs(31), reading(Fake { lost: 7, ..Fake::default() }).await);
    assert!(drawn(&view, (80, 24)).contains("■ 7 off"));
    assert!(line(&view).contains("lost 7"));
    assert!(view.farewell().contains("7 of them unaccounted for ■"));
}

#[tokio::test]
async fn the_reason_of_trouble_is_on_the_screen() {
    let mut view = view().await;
    let reasons = vec!["bank.response/7 has no leader".to_owned()];
    view.take(Duration::from_secs(31), reading(Fake { reasons, ..Fake::default() }).await);
    assert!(drawn(&view, (80, 24)).contains("▲ bank.response/7 has no leader"));
}

#[tokio::test]
async fn a_missed_reading_keeps_the_picture_and_says_so() {
    let mut view = view().await;
    view.miss("the engine is busy".to_owned());
    let drawn = drawn(&view, (80, 24));
    assert!(drawn.contains("○ No answer") && drawn.contains("mobile-app"));
    assert_eq!(line(&view), "00:30  no answer: the engine is busy");
}

#[tokio::test]
async fn more_ranges_than_room_end_in_an_ellipsis_and_no_size_is_too_small() {
    let mut view = view().await;
    let ranges = NonZeroU16::new(4000);
    view.take(Duration::from_secs(31), reading(Fake { ranges, ..Fake::default() }).await);
    let drawn_wide = drawn(&view, (80, 24));
    assert!(drawn_wide.contains("3999 serving  1 unowned"), "{drawn_wide}");
    assert!(drawn_wide.contains("■ …"));
    for size in [(1, 1), (10, 3), (40, 10), (300, 100)] {
        drawn(&view, size);
    }
}

#[tokio::test]
async fn channels_are_asked_over_the_whole_time() {
    let fake = Fake::default();
    read(&fake).await.unwrap();
    let queries = fake.queries.lock();
    assert_eq!(queries.len(), 3);
    assert!(queries.iter().all(|query| query.dimension.as_deref() == Some("channel")));
    assert!(queries.iter().all(|query| query.window.is_none() && query.from.is_none()));
}
