//! The few styles of the picture. The terminal's own colours, so that they fit light and dark.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::io::Screen;

/// What each style means; shapes and words say the same without colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) plain: Style,
    pub(super) strong: Style,
    pub(super) quiet: Style,
    pub(super) accent: Style,
    pub(super) good: Style,
    pub(super) warning: Style,
    pub(super) bad: Style,
}

impl Palette {
    pub(super) fn of(screen: Screen) -> Self {
        let plain = Style::new();
        let strong = plain.add_modifier(Modifier::BOLD);
        match screen {
            Screen::None | Screen::Plain => Self {
                plain,
                strong,
                quiet: plain,
                accent: plain,
                good: plain,
                warning: strong,
                bad: strong,
            },
            Screen::Coloured => Self {
                plain,
                strong,
                quiet: plain.fg(Color::DarkGray),
                accent: plain.fg(Color::Cyan),
                good: plain.fg(Color::Green),
                warning: plain.fg(Color::Yellow),
                bad: plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            },
        }
    }
}
